"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = id => document.getElementById(id);
  const MOST = 10000, PER_PAGE = 50, MOST_DRAWN = 60;

  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    if (text !== undefined && text !== null) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const say = (text, wrong = false) => { at("status").textContent = text; at("status").classList.toggle("wrong", wrong); };
  const load = name => new Promise((done, failed) => {
    const script = make("script", null, { src: `explorer/${name}` });
    script.onload = done;
    script.onerror = () => failed(new Error(`${name} is not in the folder of this site: write the site again.`));
    document.head.append(script);
  });
  const once = make_it => { let made; return () => (made = made || make_it().catch(error => { made = undefined; throw error; })); };

  // --- the engine: DuckDB in a worker that can reach nothing ---------------------------------------------------

  const unpacked = async text => {
    const packed = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    return new Uint8Array(await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
  };

  // The worker is made of a blob, so that it stands under the policy of this page. It is handed its WebAssembly in a
  // message; any other address that it asks for is refused, before the policy would.
  const ADDRESS = "https://engine.invalid/duckdb.wasm";
  const SHIM = `(() => {
    let give;
    const engine = new Promise(done => { give = done; });
    self.addEventListener("message", event => {
      if (!event.data || !event.data.evidenceEngine) return;
      event.stopImmediatePropagation();
      give(event.data.evidenceEngine);
    });
    self.fetch = asked => (asked.url || String(asked)) === "${ADDRESS}"
      ? engine.then(bytes => new Response(bytes, { headers: { "Content-Type": "application/wasm" } }))
      : Promise.reject(new Error("Nothing outside this page can be read."));
    self.XMLHttpRequest = self.WebSocket = self.EventSource = self.importScripts = undefined;
  })();\n`;

  const lacks = () => {
    const probe = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 8, 1, 6, 0, 6, 64, 25, 11, 11]);
    if (!globalThis.WebAssembly || !WebAssembly.validate(probe)) return "WebAssembly with exceptions";
    if (!globalThis.DecompressionStream) return "DecompressionStream";
    return "";
  };

  const parts = once(async () => {
    await Promise.all([load("engine.js"), load("review.js")]);
    const { evidenceEngine, evidenceReview } = globalThis;
    const [wasm, worker, file] = await Promise.all([unpacked(evidenceEngine.wasm), unpacked(evidenceEngine.worker), unpacked(evidenceReview)]);
    globalThis.evidenceEngine = globalThis.evidenceReview = undefined;
    return { wasm, worker: URL.createObjectURL(new Blob([SHIM, worker], { type: "text/javascript" })), file };
  });

  let running = null, engine = null;

  const start = async () => {
    const { wasm, worker, file } = await parts();
    const { AsyncDuckDB, DuckDBAccessMode, VoidLogger } = globalThis.duckdb;
    const thread = new Worker(worker);
    const failed = new Promise((_, reject) => { thread.onerror = event => reject(new Error(event.message || "the worker could not start")); });
    const database = new AsyncDuckDB(new VoidLogger(), thread);
    thread.postMessage({ evidenceEngine: wasm });
    const opened = (async () => {
      await database.instantiate(ADDRESS);
      await database.registerFileBuffer(data.file, file.slice());
      await database.open({ path: data.file, accessMode: DuckDBAccessMode.READ_ONLY, query: { castDecimalToDouble: true } });
      const connection = await database.connect();
      for (const setting of ["autoinstall_known_extensions = false", "autoload_known_extensions = false", "ieee_floating_point_ops = false", "enable_external_access = false", "lock_configuration = true"])
        await connection.query(`set ${setting}`);
      return connection;
    })();
    const connection = await Promise.race([opened, failed]);
    return { connection, end: () => thread.terminate() };
  };
  const started = () => (engine = engine || start().catch(error => { engine = null; throw error; }));

  const plain = (value, type) => {
    if (value === null || value === undefined) return null;
    if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    if ((type.typeId === 8 || type.typeId === 10) && Number.isFinite(Number(value))) {
      const written = new Date(Number(value)).toISOString();
      return type.typeId === 8 ? written.slice(0, 10) : written.slice(0, 19).replace("T", " ");
    }
    if (value instanceof Uint8Array) return [...value].map(byte => byte.toString(16).padStart(2, "0")).join("");
    if (typeof value === "object") return JSON.stringify(value, (_, part) => (typeof part === "bigint" ? String(part) : part));
    return value;
  };

  const ask = async (sql, most = MOST) => {
    const { connection } = await started();
    const reader = await connection.send(sql, true);
    const columns = [], rows = [];
    let more = false;
    for await (const batch of reader) {
      if (!columns.length) columns.push(...batch.schema.fields.map(field => field.name));
      const vectors = batch.schema.fields.map((field, i) => [batch.getChildAt(i), field.type]);
      for (let row = 0; row < batch.numRows && !more; row++) {
        if (rows.length === most) { more = true; break; }
        rows.push(vectors.map(([vector, type]) => plain(vector.get(row), type)));
      }
      if (more) break;
    }
    if (!columns.length && reader.schema) columns.push(...reader.schema.fields.map(field => field.name));
    if (more) await connection.cancelSent();
    return { columns, rows, more };
  };
  globalThis.evidenceAsk = ask;

  // --- running a query -------------------------------------------------------------------------------------------

  let answer = null, sorted = null, page = 0;

  const busy = on => {
    at("run").disabled = on;
    at("stop").disabled = !on;
    at("answer").setAttribute("aria-busy", String(on));
  };

  const run = async () => {
    const sql = at("query").value.trim();
    if (!sql || running) return;
    if (!data.engine) { say("No SQL engine is in this folder: see above what to do.", true); return; }
    if (lacks()) { say(`This browser lacks ${lacks()}, which SQL needs here. The report, and what stands under "What if?", need none.`, true); return; }
    history.replaceState(null, "", `#sql=${encodeURIComponent(sql)}`);
    at("link").hidden = true;
    const mine = running = { stopped: false };
    busy(true);
    say(engine ? "Running ..." : "Starting the database in your browser (some 8 MB, once) ...");
    const begun = performance.now();
    try {
      await started();
      if (mine.stopped) return;
      say("Running ...");
      const found = await ask(sql);
      if (mine.stopped) return;
      answer = { ...found, sql };
      sorted = null;
      page = 0;
      const count = `${found.rows.length.toLocaleString("en")} row${found.rows.length === 1 ? "" : "s"}`;
      say(`${found.more ? `The first ${count}; there are more: narrow the query, or ask for a part with limit and offset` : count}, in ${((performance.now() - begun) / 1000).toFixed(1)} s.`);
      show();
    } catch (error) {
      if (mine.stopped) return;
      say(explain(error.message), true);
    } finally {
      if (running === mine) { running = null; busy(false); }
    }
  };

  const explain = message => {
    const known = data.catalog.flatMap(group => group.entries.map(entry => entry.name));
    const missing = /Table with name (\S+) does not exist/.exec(message);
    const near = missing && known.filter(name => name.includes(missing[1].toLowerCase())).slice(0, 5);
    return near && near.length ? `${message}\nBeside it there are: ${near.join(", ")}.` : message;
  };

  // What runs is ended with its worker; the next query starts another.
  const stop = async () => {
    if (!running) return;
    running.stopped = true;
    running = null;
    const old = engine;
    engine = null;
    busy(false);
    say("Stopped.");
    if (old) (await old.catch(() => null))?.end();
  };

  // --- the answer as a table ---------------------------------------------------------------------------------------

  const figure = (value, digits = 5) =>
    typeof value !== "number" || Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(digits))).replace("-", "−");

  const show = () => {
    const { columns, rows } = answer;
    at("answer").hidden = false;
    at("save").disabled = !rows.length;
    const drawable = chartable(answer);
    at("chart").disabled = !drawable;
    if (!drawable) at("chart").setAttribute("aria-pressed", "false");
    const last = Math.max(0, Math.ceil(rows.length / PER_PAGE) - 1);
    page = Math.min(page, last);
    const back = rows.length > 0 && wayBack(rowOf(0)) !== null;
    const table = make("table");
    table.append(make("caption", data.synthetic, data.synthetic ? { class: "synthetic" } : { hidden: "" }));
    const head = table.createTHead().insertRow();
    if (back) head.append(make("th", "pages", { scope: "col" }));
    columns.forEach((column, i) => {
      const cell = make("th", null, { scope: "col", "aria-sort": sorted && sorted.column === i ? (sorted.down ? "descending" : "ascending") : "none" });
      const mark = sorted && sorted.column === i ? (sorted.down ? " ▾" : " ▴") : "";
      const button = make("button", column + mark, { type: "button", title: `Sort by ${column}` });
      button.addEventListener("click", () => sort(i));
      cell.append(button);
      head.append(cell);
    });
    const body = table.createTBody();
    rows.slice(page * PER_PAGE, (page + 1) * PER_PAGE).forEach((row, i) => {
      const line = body.insertRow();
      const number = page * PER_PAGE + i;
      if (back) {
        const cell = line.insertCell();
        if (wayBack(rowOf(number))) {
          const button = make("button", "pages", { type: "button", "aria-label": `Pages behind row ${number + 1}` });
          button.addEventListener("click", () => pages(number));
          cell.append(button);
        }
      }
      row.forEach(value => {
        const cell = line.insertCell();
        if (value === null) { cell.append(make("span", "–", { class: "empty", "aria-label": "empty" })); return; }
        cell.textContent = figure(value);
        if (typeof value === "number") { cell.className = "figure"; cell.title = String(value); }
      });
    });
    const place = at("table");
    place.replaceChildren(rows.length ? table : make("p", "No rows."));
    if (rows.length && !back)
      place.prepend(make("p", "These rows have no way back to a page: select study, contrast_id or measurement_id, or outcome and measure with the two treatments.", { class: "hint" }));
    const logs = [...new Set(columns.includes("measure") && columns.some(column => /estimate$|^ci_|^pi_/.test(column)) ? rows.map(row => row[columns.indexOf("measure")]) : [])].filter(measure => data.ratios.includes(measure));
    if (logs.length) place.prepend(make("p", `Estimates of ${logs.join(", ")} are natural logarithms here; the chart draws ratios.`, { class: "hint" }));
    const turn = at("pages");
    turn.replaceChildren();
    if (last > 0) {
      for (const [label, by, off] of [["Previous", -1, page === 0], ["Next", 1, page === last]]) {
        const button = make("button", label, { type: "button", "aria-label": `${label} ${PER_PAGE} rows` });
        button.disabled = off;
        button.addEventListener("click", () => {
          page += by;
          show();
          const again = [...at("pages").querySelectorAll("button")];
          (again.find(other => other.textContent === label && !other.disabled) || again.find(other => !other.disabled)).focus();
        });
        turn.append(button);
      }
      turn.append(make("span", `Rows ${page * PER_PAGE + 1} to ${Math.min(rows.length, (page + 1) * PER_PAGE)} of ${rows.length.toLocaleString("en")}`, { role: "status" }));
    }
    cue();
    draw();
  };

  const sort = column => {
    const down = sorted && sorted.column === column ? !sorted.down : false;
    sorted = { column, down };
    const sign = down ? -1 : 1;
    answer.rows.sort((a, b) => {
      const [one, other] = [a[column], b[column]];
      if (one === null || other === null) return (one === null) - (other === null);
      if (typeof one === "number" && typeof other === "number") return sign * (one - other);
      return sign * String(one).localeCompare(String(other), "en", { numeric: true });
    });
    page = 0;
    show();
    at("table").querySelectorAll("th button")[column].focus();
  };

  const rowOf = number => Object.fromEntries(answer.columns.map((column, i) => [column, answer.rows[number][i]]));

  const csv = () => {
    const quoted = value => (/[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    const head = data.synthetic ? [...answer.columns, "data"] : answer.columns;
    const lines = [head, ...answer.rows.map(row => (data.synthetic ? [...row, data.synthetic] : row))];
    return `${lines.map(line => line.map(value => quoted(value === null ? "" : String(value))).join(",")).join("\n")}\n`;
  };
  globalThis.evidenceCsv = csv;

  const save = () => {
    const address = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    make("a", null, { href: address, download: "answer.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  };

  // --- the way back to the pages -----------------------------------------------------------------------------------

  const text = value => `'${String(value).replaceAll("'", "''")}'`;
  const numbers = value => String(value).split(",").map(part => part.trim()).filter(part => /^\d+$/.test(part));
  const READ = `select m.study, m.experiment, m.arm, m.outcome, m.timepoint, m.timepoint_unit, m.n, m.mean, m.sd, m.se, m.median,
    m.q1, m.q3, m.min, m.max, m.ci_lower, m.ci_upper, m.events, m.exposure, m.unit, null as measure, null as estimate,
    m.source, m.locator, m.method, m.extractor, m.source_file, m.source_line from measurement as m where `;
  const REPORTED = `select r.study, r.experiment, r.arm_a || ' vs ' || r.arm_b as arm, r.outcome, r.timepoint, r.timepoint_unit, null as n,
    null as mean, null as sd, r.se, null as median, null as q1, null as q3, null as min, null as max, r.ci_lower, r.ci_upper,
    null as events, null as exposure, r.unit, r.measure, r.estimate, r.source, r.locator, r.method, r.extractor,
    r.source_file, r.source_line from reported_contrast as r where `;
  const of = (contrasts, order = "") => `with behind as (${contrasts}), part as (
      select unnest(string_split(measurement_ids, ',')) as id from behind where measurement_ids is not null)
    ${READ} cast(m.measurement_id as varchar) in (select trim(id) from part)
    union all ${REPORTED} r.reported_contrast_id in (select reported_contrast_id from behind)${order}`;
  const ORDER = " order by study, outcome, source_file, source_line";

  // The query for what stands behind a row, by the first key that it has; null where it has none.
  const wayBack = row => {
    const has = (...names) => names.every(name => row[name] !== undefined && row[name] !== null);
    if (has("measurement_ids") && numbers(row.measurement_ids).length)
      return `${READ} m.measurement_id in (${numbers(row.measurement_ids).join(", ")})${ORDER}`;
    if (has("measurement_id")) {
      const ids = [row.measurement_id, row.other_measurement_id].filter(id => id !== undefined && id !== null).flatMap(numbers);
      if (ids.length) return `${READ} m.measurement_id in (${ids.join(", ")})${ORDER}`;
    }
    if (has("reported_contrast_id") && numbers(row.reported_contrast_id).length)
      return `${REPORTED} r.reported_contrast_id in (${numbers(row.reported_contrast_id).join(", ")})${ORDER}`;
    if (has("rob_judgement_id") && numbers(row.rob_judgement_id).length)
      return `select study, tool, item, judgement, support, assessor, source_file, source_line from rob_judgement where rob_judgement_id in (${numbers(row.rob_judgement_id).join(", ")})`;
    if (has("contrast_id"))
      return of(`select measurement_ids, reported_contrast_id from contrast where contrast_id = ${text(row.contrast_id)}
        union select measurement_ids, reported_contrast_id from result_contrast where contrast_id = ${text(row.contrast_id)}`, ORDER);
    const one = row.treatment_a ?? row.treatment, other = row.treatment_b ?? row.versus;
    if (has("run_id")) {
      const where = [`run_id = ${text(row.run_id)}`];
      const left_out = /\bresult_leave_one_out\b/i.test(answer.sql);
      if (has("study")) where.push(`study ${left_out ? "<>" : "="} ${text(row.study)}`);
      if (has("level")) where.push(`level = ${text(row.level)}`);
      if (one && other) where.push(`contrast_id in (select contrast_id from result_weight where run_id = ${text(row.run_id)}
        and ((treatment = ${text(one)} and versus = ${text(other)}) or (treatment = ${text(other)} and versus = ${text(one)})))`);
      return of(`select measurement_ids, reported_contrast_id from result_contrast where ${where.join(" and ")}`, ORDER);
    }
    if (has("outcome", "measure") && one && other) {
      const where = ["outcome", "measure"].map(name => `effect.${name} = ${text(row[name])}`);
      where.push(`effect.treatment_a in (${text(one)}, ${text(other)})`, `effect.treatment_b in (${text(one)}, ${text(other)})`);
      if (has("study")) where.push(`effect.study = ${text(row.study)}`);
      if (has("study_ids")) where.push(`list_contains(list_transform(string_split(${text(row.study_ids)}, ','), lambda id: trim(id)), effect.study)`);
      if (has("omitted_study")) where.push(`effect.study <> ${text(row.omitted_study)}`);
      if (has("variable", "level")) where.push(`effect.contrast_id in (select contrast_id from contrast_variable where variable = ${text(row.variable)} and value = ${text(row.level)})`);
      return of(`select contrast.measurement_ids, contrast.reported_contrast_id from pooling_effect as effect inner join contrast using (contrast_id) where ${where.join(" and ")}`, ORDER);
    }
    const own = has("source_file", "source_line") && `source_file = ${text(row.source_file)} and source_line = ${Number(row.source_line)}`;
    if (own && !has("study")) return `select ${text(row.source_file)} as source_file, ${Number(row.source_line)} as source_line`;
    const study = row.study ?? row.omitted_study;
    if (study !== undefined && study !== null) {
      const where = [`study = ${text(study)}`, ...["experiment", "outcome", "timepoint"].filter(name => has(name)).map(name => `${name} = ${typeof row[name] === "number" ? row[name] : text(row[name])}`)];
      const arm = has("arm") ? ` and arm = ${text(row.arm)}` : "";
      return `select * from (${READ} ${where.join(" and ")}${arm}) union all select * from (${REPORTED} ${where.join(" and ")})${ORDER}`;
    }
    return null;
  };
  globalThis.evidenceWayBack = (row, sql) => { answer = answer || { sql }; return wayBack(row); };

  const STATISTICS = [["n", "n"], ["mean", "mean"], ["sd", "SD"], ["se", "SE"], ["median", "median"], ["q1", "Q1"], ["q3", "Q3"], ["min", "min"], ["max", "max"], ["estimate", "estimate"], ["ci_lower", "CI from"], ["ci_upper", "CI to"], ["events", "events"], ["exposure", "exposure"]];

  const pages = async number => {
    const row = rowOf(number), body = at("panel-body");
    at("panel-title").textContent = `Pages behind row ${number + 1}`;
    const own = answer.columns.filter(column => row[column] !== null && typeof row[column] !== "object").slice(0, 8);
    body.replaceChildren(make("p", own.map(column => `${column}: ${figure(row[column])}`).join("; "), { class: "hint" }), make("p", "Looking ..."));
    at("panel").showModal();
    at("panel").scrollTop = 0;
    const words = body.lastChild;
    try {
      const found = await ask(wayBack(row), 1000);
      const read = found.rows.map(values => Object.fromEntries(found.columns.map((column, i) => [column, values[i]])));
      words.textContent = read.length ? `${found.more ? "The first " : ""}${read.length} ${read.length === 1 ? "row" : "rows"} of the review folder stand behind it.` : "No reading stands behind it.";
      if (read.length) body.append(readings(read));
    } catch (error) {
      words.textContent = error.message;
    }
  };

  const readings = rows => {
    const shown = rows.map(row => ({
      Study: row.study, Arm: row.experiment && row.experiment !== "main" ? `${row.experiment} / ${row.arm}` : row.arm,
      Outcome: row.outcome && row.timepoint !== null ? `${row.outcome}, ${row.timepoint} ${row.timepoint_unit || ""}` : row.outcome,
      Item: row.item && `${row.tool}, ${row.item}`, Judgement: row.judgement, Support: row.support,
      "As reported": [row.measure, STATISTICS.filter(([key]) => row[key] !== undefined && row[key] !== null).map(([key, label]) => `${label} ${row[key]}`).join(", "), row.unit && `(${row.unit})`].filter(Boolean).join(" "),
      Source: row.source, "Page or figure": row.locator, Method: row.method, "Read by": row.extractor ?? row.assessor,
      "File and line": `${row.source_file}:${row.source_line}`,
    }));
    const heads = Object.keys(shown[0]).filter(head => shown.some(row => row[head]));
    const table = make("table");
    const top = table.createTHead().insertRow();
    heads.forEach(head => top.append(make("th", head, { scope: "col" })));
    const content = table.createTBody();
    shown.forEach(row => { const line = content.insertRow(); heads.forEach(head => { line.insertCell().textContent = row[head] ?? ""; }); });
    const scroll = make("div", null, { class: "scroll", tabindex: "0", role: "group", "aria-label": "Readings, scrolls sideways where it is wider than the panel" });
    scroll.append(table);
    return scroll;
  };

  // --- charts ------------------------------------------------------------------------------------------------------

  const charts = once(() => load("charts.js"));
  const INTERVALS = [["estimate", "ci_lower", "ci_upper"], ["random_estimate", "random_ci_lower", "random_ci_upper"], ["common_estimate", "common_ci_lower", "common_ci_upper"], ["estimate", "std_error", null]];
  const NAMES = ["study_label", "study", "omitted_study", "treatment", "treatment_a", "versus", "treatment_b", "variable", "level", "model"];

  const chartable = ({ columns, rows }) => {
    if (!rows.length) return null;
    const known = name => columns.indexOf(name);
    const isNumber = i => rows.some(row => typeof row[i] === "number") && rows.every(row => row[i] === null || typeof row[i] === "number");
    for (const [estimate, lower, upper] of INTERVALS)
      if ([estimate, lower, ...(upper ? [upper] : [])].every(name => known(name) >= 0 && isNumber(known(name))))
        return { kind: "forest", estimate: known(estimate), lower: known(lower), upper: upper ? known(upper) : null };
    const measured = columns.map((_, i) => i).filter(i => isNumber(i) && !/(^|_)id$|^source_line$|^position$/.test(columns[i]));
    const named = columns.map((_, i) => i).filter(i => !isNumber(i) && rows.some(row => row[i] !== null) && !/_id$|_ids$/.test(columns[i]));
    if (named.length && measured.length) return { kind: "bar", name: named[0], value: measured[measured.length - 1] };
    if (measured.length > 1) return { kind: "point", x: measured[0], y: measured[1] };
    return null;
  };

  const colours = () => {
    const style = getComputedStyle(document.body);
    const variable = name => style.getPropertyValue(name).trim();
    return { ink: style.color, muted: variable("--muted") || style.color, line: variable("--line") || style.color, link: variable("--link") || style.color };
  };
  const config = () => {
    const { ink, muted, line } = colours();
    const font = "Liberation Sans, Arial, Helvetica, sans-serif";
    return { background: null, font, view: { stroke: null }, axis: { labelColor: ink, titleColor: ink, gridColor: line, domainColor: muted, tickColor: muted, labelLimit: 260, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" }, text: { color: ink }, legend: { labelColor: ink, titleColor: ink } };
  };
  const embed = async (place, spec, description) => {
    await charts();
    // Vega makes its element as wide as the drawing: within one that scrolls.
    const inner = make("div");
    place.replaceChildren(inner);
    await globalThis.vegaEmbed(inner, { $schema: "https://vega.github.io/schema/vega-lite/v6.json", description, config: config(), ...spec }, { ast: true, actions: false, renderer: "svg", tooltip: false });
    const svg = place.querySelector("svg");
    if (svg) { svg.setAttribute("role", "img"); svg.setAttribute("aria-label", description); }
    cue();
  };
  // What is wider than its place says that it scrolls.
  const cue = () => document.querySelectorAll("div.picture, div.table").forEach(part => part.classList.toggle("scrolls", part.scrollWidth > part.clientWidth + 1));
  addEventListener("resize", cue);
  const width = place => Math.max(140, Math.min(560, place.clientWidth - 400));

  // Ends and ticks of an axis of ratios: 1, 2 and 5 of each power of ten where these are few, else the powers.
  const ratios = (low, high) => {
    const ticks = steps => {
      const found = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
        found.push(...steps.map(step => Number((step * 10 ** power).toPrecision(3))));
      return found.filter(tick => tick >= low && tick <= high);
    };
    const fine = ticks([1, 2, 5]), coarse = ticks([1]);
    return fine.length <= 8 ? fine : coarse.filter((_, i) => i % Math.ceil(coarse.length / 8) === 0);
  };

  // Layers of a forest plot: an interval with its estimate a row; `back` stands grey behind it.
  const forest = (rows, { title, log, zero, favours, place }) => {
    const { ink, muted, link } = colours();
    const all = rows.flatMap(row => [row.low, row.high, row.e, row.back && row.back[1], row.back && row.back[2]]).filter(value => Number.isFinite(value));
    const ends = [Math.min(...all, zero), Math.max(...all, zero)];
    const x = log
      ? { type: "quantitative", title, scale: { type: "log", nice: false, domain: [ends[0] / 1.1, ends[1] * 1.1] }, axis: { values: ratios(ends[0] / 1.1, ends[1] * 1.1), labelExpr: "format(datum.value, '.3~g')" } }
      : { type: "quantitative", title, scale: { zero: false, nice: true, domain: ends }, axis: { tickCount: 6 } };
    const y = { field: "i", type: "ordinal", title: null, sort: null, axis: { labelExpr: `[${rows.map(row => JSON.stringify(row.name)).join(",")}][datum.value]`, ticks: false, domain: false } };
    const values = rows.map((row, i) => ({ i, ...row, bl: row.back && row.back[1], bh: row.back && row.back[2], be: row.back && row.back[0] }));
    const shifted = rows.some(row => row.back) ? { yOffset: -4 } : {};
    const layer = [
      { data: { values: [{ zero }] }, mark: { type: "rule", color: muted, strokeDash: [4, 3] }, encoding: { x: { ...x, field: "zero" } } },
      { transform: [{ filter: "isValid(datum.bl)" }], mark: { type: "rule", color: muted, strokeWidth: 2, yOffset: 5 }, encoding: { y, x: { ...x, field: "bl" }, x2: { field: "bh" } } },
      { transform: [{ filter: "isValid(datum.be)" }], mark: { type: "point", filled: true, color: muted, size: 35, yOffset: 5 }, encoding: { y, x: { ...x, field: "be" } } },
      { transform: [{ filter: "isValid(datum.low)" }], mark: { type: "rule", color: ink, strokeWidth: 2, ...shifted }, encoding: { y, x: { ...x, field: "low" }, x2: { field: "high" } } },
      { mark: { type: "point", shape: "square", filled: true, color: link, opacity: 1, size: 60, ...shifted }, encoding: { y, x: { ...x, field: "e" } } },
      { mark: { type: "text", align: "left", x: width(place) + 12, fontSize: 12, ...shifted }, encoding: { y, text: { field: "text" } } },
    ];
    if (favours) x.title = [title, `← ${favours[0]}     ${favours[1]} →`];
    return { data: { values }, width: width(place), height: { step: rows.some(row => row.back) ? 30 : 22 }, layer };
  };

  const label = (row, i, columns) => (row[i] === null ? "" : /^(treatment|versus)/.test(columns[i]) ? data.treatments[row[i]] || row[i] : row[i]);
  const nameOf = (row, named, columns) => {
    let name = "";
    named.forEach(i => {
      const part = label(row, i, columns);
      if (part !== "") name += `${name && (["treatment_b", "versus"].includes(columns[i]) ? " vs " : " · ")}${part}`;
    });
    return name;
  };

  const draw = async () => {
    const on = at("chart").getAttribute("aria-pressed") === "true";
    at("drawing").hidden = !on;
    if (!on) return;
    const { columns, rows } = answer, how = chartable(answer), place = at("picture");
    let note = "", spec, description;
    if (how.kind === "forest") {
      const of_measure = columns.indexOf("measure"), of_outcome = columns.indexOf("outcome");
      let kept = rows.filter(row => Number.isFinite(row[how.estimate]));
      for (const [i, what] of [[of_outcome, "outcome"], [of_measure, "measure"]])
        if (i >= 0 && new Set(kept.map(row => row[i])).size > 1) {
          const first = kept[0][i];
          kept = kept.filter(row => row[i] === first);
          note += `Rows of ${what} ${first} are drawn. `;
        }
      if (kept.length > MOST_DRAWN) note += `The first ${MOST_DRAWN} of ${kept.length} rows are drawn. `;
      kept = kept.slice(0, MOST_DRAWN);
      const measure = of_measure >= 0 && kept.length ? kept[0][of_measure] : "";
      const log = data.ratios.includes(measure);
      const seen = log ? Math.exp : value => value;
      const named = NAMES.map(name => columns.indexOf(name)).filter(i => i >= 0);
      const shown = kept.map(row => {
        const half = 1.959963984540054 * row[how.lower];
        const [low, high] = how.upper === null ? [row[how.estimate] - half, row[how.estimate] + half] : [row[how.lower], row[how.upper]];
        const [e, l, h] = [row[how.estimate], low, high].map(value => (Number.isFinite(value) ? seen(value) : null));
        const text = `${figure(e, 3)}${l === null || h === null ? "" : ` [${figure(l, 3)}, ${figure(h, 3)}]`}`;
        return { name: nameOf(row, named, columns), e, low: l, high: h, text };
      });
      if (!shown.length) { place.replaceChildren(make("p", "There is no estimate to draw.")); return; }
      description = `Forest plot of ${shown.length} estimates of the answer, which stands below as a table`;
      spec = forest(shown, { title: [measure, columns[how.estimate]].filter(Boolean).join(", "), log, zero: log ? 1 : 0, place });
    } else {
      const kept = rows.slice(0, how.kind === "bar" ? MOST_DRAWN : MOST);
      if (kept.length < rows.length) note = `The first ${kept.length} of ${rows.length} rows are drawn.`;
      const values = kept.map((row, i) => ({ i, a: row[how.x ?? how.name], b: row[how.y ?? how.value], name: String(label(row, how.name ?? how.x, columns)) }));
      const { link } = colours();
      description = `Chart of ${kept.length} rows of the answer, which stands below as a table`;
      spec = how.kind === "bar"
        ? { data: { values }, width: width(place), mark: { type: "bar", color: link }, height: { step: 20 }, encoding: { y: { field: "i", type: "ordinal", sort: null, title: columns[how.name], axis: { labelExpr: `[${values.map(row => JSON.stringify(row.name)).join(",")}][datum.value]` } }, x: { field: "b", type: "quantitative", title: columns[how.value] } } }
        : { data: { values }, width: width(place), height: 320, mark: { type: "point", color: link }, encoding: { x: { field: "a", type: "quantitative", title: columns[how.x], scale: { zero: false } }, y: { field: "b", type: "quantitative", title: columns[how.y], scale: { zero: false } } } };
    }
    at("drawing-note").textContent = note;
    await embed(place, spec, description).catch(error => { place.replaceChildren(make("p", `The chart cannot be drawn: ${error.message}`)); });
  };

  // --- the catalog ---------------------------------------------------------------------------------------------------

  const insert = name => {
    const field = at("query");
    if (!field.value.trim()) field.value = `select * from ${name}`;
    else field.setRangeText(name, field.selectionStart, field.selectionEnd, "end");
    field.focus();
  };

  const entry = item => {
    const box = make("details", null, { class: "entry" });
    box.dataset.words = [item.name, item.title, ...item.columns.map(([name]) => name)].join(" ").toLowerCase();
    box.append(make("summary", item.signature));
    // Filled when it is opened: there are thousands of columns.
    box.addEventListener("toggle", () => {
      if (!box.open || box.childElementCount > 1) return;
      const about = make("div", null, { class: "about" });
      about.append(make("p", item.title));
      item.about.filter(line => !line.startsWith("Stored:") && !line.startsWith("Key:")).forEach(line => about.append(make("p", line)));
      const button = make("button", item.kind === "macro" ? "Put its name into the query" : "Show its rows", { type: "button" });
      button.addEventListener("click", () => {
        if (item.kind === "macro") { insert(item.signature); return; }
        at("query").value = `select * from ${item.name}`;
        at("ready").value = "";
        run();
      });
      about.append(button);
      box.append(about);
      if (item.columns.length) {
        const list = make("dl");
        item.columns.forEach(([name, type, meaning]) => list.append(make("dt", `${name} ${type}`), make("dd", meaning)));
        box.append(list);
      }
    });
    return box;
  };

  const groups = data.catalog.map((group, i) => {
    const box = make("details");
    box.open = i === 0;
    box.append(make("summary", `${group.title} (${group.entries.length})`), ...group.entries.map(entry));
    at("catalog").append(box);
    return box;
  });
  at("find").addEventListener("input", () => {
    const wanted = at("find").value.trim().toLowerCase();
    let count = 0;
    groups.forEach((box, i) => {
      const entries = [...box.querySelectorAll(".entry")];
      entries.forEach(item => { item.hidden = Boolean(wanted) && !item.dataset.words.includes(wanted); count += !item.hidden; });
      box.hidden = entries.every(item => item.hidden);
      box.open = wanted ? !box.hidden : i === 0;
    });
    at("found").textContent = wanted ? `${count} found` : "";
  });

  // --- ready questions, links ----------------------------------------------------------------------------------------

  data.questions.forEach(question => at("ready").append(make("option", question.asks, { value: question.name })));
  at("ready").addEventListener("change", () => {
    const question = data.questions.find(known => known.name === at("ready").value);
    if (!question) return;
    at("query").value = question.sql;
    run();
  });
  at("run").addEventListener("click", run);
  at("stop").addEventListener("click", stop);
  at("save").addEventListener("click", save);
  at("chart").addEventListener("click", () => {
    at("chart").setAttribute("aria-pressed", String(at("chart").getAttribute("aria-pressed") !== "true"));
    draw();
  });
  at("query").addEventListener("keydown", event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
  });
  at("query").addEventListener("focus", () => { if (data.engine && !lacks()) started().catch(() => {}); });
  at("share").addEventListener("click", async () => {
    const link = new URL(location.href);
    link.hash = `sql=${encodeURIComponent(at("query").value.trim())}`;
    at("address").value = link.href;
    at("link").hidden = false;
    at("address").select();
    let copied = false;
    try { await navigator.clipboard.writeText(link.href); copied = true; } catch { /* The link stands there to be copied by hand. */ }
    say(copied ? "The link is copied: who opens it sees this query and its answer." : "Copy the link below: who opens it sees this query and its answer.");
  });
  at("panel").addEventListener("click", event => { if (event.target === at("panel")) at("panel").close(); });

  const follow = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    if (given.get("sql") && given.get("sql") !== at("query").value.trim()) { at("query").value = given.get("sql"); at("ready").value = ""; run(); }
  };
  addEventListener("hashchange", follow);
  if (data.questions.length) at("query").value = data.questions[0].sql;
  if (lacks()) { at("remedy").hidden = false; at("remedy").firstChild.textContent = `This browser lacks ${lacks()}, so SQL cannot run here; the report and what stands under "What if?" need none. `; }

  // --- what if -------------------------------------------------------------------------------------------------------

  const analyses = data.what_if.filter(analysis => !analysis.refused);
  data.what_if.filter(analysis => analysis.refused).forEach(analysis => at("refused").append(make("li", `${analysis.name} is not here: ${analysis.refused}`)));
  const fill = (select, options) => select.replaceChildren(...options.map(([value, label]) => make("option", label, { value })));
  const chosen = () => analyses[Number(at("analysis").value)];

  const what_if = async () => {
    const { title, log, favours, versus, treatments, models, studies, cells, tau } = chosen();
    const zero = chosen().null, model = Number(at("model").value), study = Number(at("without").value);
    const whole = cells[0][-1], now = (cells[model] || {})[study];
    const place = at("forest");
    const said = study < 0 ? "All studies" : `Without ${studies[study][1]}`;
    const spread = (tau[model] || {})[study];
    at("changed").textContent = now ? `${said}; ${models[model]}.${spread ? ` Heterogeneity: tau ${spread}.` : ""}` : `${said}: not computed in advance under this prior; choose another.`;
    const table = make("table"), head = table.createTHead().insertRow(), body = table.createTBody();
    ["Treatment", `As chosen, versus ${versus}`, "All studies, own prior"].forEach(label => head.append(make("th", label, { scope: "col" })));
    treatments.forEach((name, i) => {
      const line = body.insertRow();
      [name, now ? now[i][3] : "", whole[i][3]].forEach(value => { line.insertCell().textContent = value; });
    });
    if (data.synthetic) table.append(make("caption", data.synthetic, { class: "synthetic" }));
    at("effects").replaceChildren(table);
    const rows = treatments.map((name, i) => {
      const [e, low, high, text] = now ? now[i] : [null, null, null, ""];
      return { name, e, low, high, text, back: whole[i].slice(0, 3) };
    });
    await embed(place, forest(rows, { title, log, zero, favours, place }), `${title}: ${treatments.length} treatments versus ${versus}. ${at("changed").textContent} The numbers stand below as a table.`).catch(error => { place.replaceChildren(make("p", `The plot cannot be drawn: ${error.message} The table below has its numbers.`)); });
  };
  const choose = () => {
    const { studies, models } = chosen();
    fill(at("without"), [[-1, "no study"], ...studies.map(([, label], i) => [i, label])]);
    fill(at("model"), models.map((label, i) => [i, i === 0 ? `${label} (the analysis's own)` : label]));
    what_if();
  };
  if (analyses.length) {
    fill(at("analysis"), analyses.map((analysis, i) => [i, `${analysis.name}: ${analysis.title}`]));
    at("analysis").addEventListener("change", choose);
    ["without", "model"].forEach(id => at(id).addEventListener("change", what_if));
    choose();
  }

  // Light or dark: as the system says, until the reader chooses. Charts are drawn in the colours of the page.
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const told = () => { at("theme").setAttribute("aria-pressed", String(dark())); if (analyses.length) what_if(); if (answer) draw(); };
  at("theme").addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; told(); });
  system.addEventListener("change", told);
  at("theme").setAttribute("aria-pressed", String(dark()));
  follow();
})();
