"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const panel = document.getElementById("panel");
  const title = document.getElementById("panel-title");
  const body = document.getElementById("panel-body");
  const byId = new Map(data.readings.filter(row => row.id !== null).map(row => [row.id, row]));
  const said = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const anchorOf = new Map(Object.entries(data.keys).map(([anchor, study]) => [study, anchor]));

  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    if (text !== undefined && text !== null) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  const readingTable = rows => {
    const heads = data.words.heads;
    const keys = ["arm", "outcome", "reported", "used", "source", "locator", "place"];
    const shown = keys.map((key, i) => [key, heads[i]]).filter(([key]) => rows.some(row => row[key]));
    const table = make("table");
    const head = table.createTHead().insertRow();
    shown.forEach(([, label]) => head.append(make("th", label, { scope: "col" })));
    const content = table.createTBody();
    rows.forEach(row => {
      const line = content.insertRow();
      shown.forEach(([key]) => { line.insertCell().textContent = key === "outcome" && row.time ? `${row[key]}, ${row.time}` : row[key]; });
    });
    const scroll = make("div", null, { class: "scroll", tabindex: "0", role: "group", "aria-label": data.words.readings });
    scroll.append(table);
    return scroll;
  };

  const showNumber = number => {
    title.textContent = number.title;
    body.replaceChildren(make("p", number.value, { class: "value" }));
    if (number.note) body.append(make("p", number.note));
    if (number.parts.length) body.append(make("p", said(data.words.contrasts, { n: number.parts.length })));
    number.parts.forEach(([contrast, weight, study]) => {
      const known = data.contrasts[contrast];
      const heading = make("h3");
      heading.append(make("a", known ? known.study : data.studies[study], { href: `#${study}` }));
      const own = known && known.effect ? data.words.weight_and_effect : data.words.weight;
      heading.append(said(own, { weight: weight || data.words.not_kept, effect: known && known.effect }));
      body.append(heading);
      const rows = known ? known.rows.map(id => byId.get(id)).filter(Boolean) : [];
      const found = rows.length ? rows : data.readings.filter(row => row.id === null && anchorOf.get(row.study) === study);
      if (found.length) body.append(readingTable(found));
    });
    const line = make("p", `${data.words.command} `);
    line.append(make("code", `evidence trace ${data.database} "${number.address}"`));
    body.append(line);
  };

  const showFact = fact => {
    title.textContent = fact.title;
    body.replaceChildren(make("p", fact.text));
    fact.rows.forEach(row => {
      const table = make("table", null, { class: "narrow" });
      Object.entries(row).forEach(([name, value]) => {
        const line = table.insertRow();
        line.append(make("th", name, { scope: "row" }), make("td", value));
      });
      body.append(table);
    });
    const line = make("p", `${data.words.command} `);
    line.append(make("code", `evidence sql ${data.database} "${fact.query}"`));
    body.append(line);
  };

  const showStudy = anchor => {
    title.textContent = data.studies[anchor];
    const rows = data.readings.filter(row => row.study === data.keys[anchor]);
    body.replaceChildren(make("p", rows.length ? said(data.words.of_study, { n: rows.length }) : data.words.none_of_study));
    if (rows.length) body.append(readingTable(rows));
  };

  const target = link => {
    const address = link && (link.getAttribute("href") || link.getAttribute("xlink:href"));
    return address && address.startsWith("#") ? address.slice(1) : "";
  };

  // What is shown has an address of its own: the page opened with it shows the same.
  const plainAddress = location.href.split("#")[0];
  const address = text => { try { history.replaceState(null, "", text); } catch { /* nowhere to write it */ } };
  const show = anchor => {
    if (Object.hasOwn(data.numbers, anchor)) showNumber(data.numbers[anchor]);
    else if (Object.hasOwn(data.facts, anchor)) showFact(data.facts[anchor]);
    else if (Object.hasOwn(data.studies, anchor)) showStudy(anchor);
    else return false;
    if (!panel.open) panel.showModal();
    panel.scrollTop = 0;
    address(`#${anchor}`);
    return true;
  };
  document.addEventListener("click", event => {
    if (show(target(event.target.closest("a")))) event.preventDefault();
  });
  panel.addEventListener("click", event => { if (event.target === panel) panel.close(); });
  panel.addEventListener("close", () => address(plainAddress));
  const byAddress = () => show(location.hash.slice(1));
  window.addEventListener("hashchange", byAddress);

  const links = new Map();
  document.querySelectorAll("a").forEach(link => {
    const anchor = target(link);
    if (anchor in data.studies) links.set(anchor, [...(links.get(anchor) || []), link]);
  });
  const light = (event, on) => {
    const anchor = target(event.target.closest && event.target.closest("a"));
    (links.get(anchor) || []).forEach(link => link.classList.toggle("lit", on));
  };
  for (const [name, on] of [["mouseover", true], ["focusin", true], ["mouseout", false], ["focusout", false]])
    document.addEventListener(name, event => light(event, on));

  // Colours of risk of bias, on the whole page; the symbols stay. White letters stand on the darkest colour only.
  const ink = "#1b1f24";
  const judged = [];
  document.querySelectorAll(".picture svg [fill]").forEach(mark => {
    const color = mark.getAttribute("fill");
    const safe = data.palette[color.toLowerCase()];
    if (safe) judged.push([mark, color, safe]);
    else if (mark.tagName === "text" && color === "#ffffff" && mark.textContent.startsWith("×")) judged.push([mark, color, ink]);
  });
  const buttons = document.querySelectorAll(".palette");
  buttons.forEach(button => button.addEventListener("click", () => {
    const safe = button.getAttribute("aria-pressed") !== "true";
    buttons.forEach(other => other.setAttribute("aria-pressed", String(safe)));
    judged.forEach(([mark, color, other]) => mark.setAttribute("fill", safe ? other : color));
  }));

  const choice = document.getElementById("choice");
  if (choice) choice.addEventListener("change", () => {
    document.querySelectorAll("[data-analysis]").forEach(part => {
      const about = part.dataset.analysis;
      part.hidden = Boolean(choice.value && about && about !== choice.value);
    });
  });

  // A figure shrinks to three quarters of its size before it scrolls, so that its letters stay readable.
  document.querySelectorAll(".picture svg").forEach(svg => {
    svg.style.setProperty("--least", `${Math.round(0.75 * svg.getAttribute("width"))}px`);
  });

  // Where a table or figure is wider than the screen, it says so.
  const wide = () => document.querySelectorAll(".table, .picture").forEach(part => {
    if (part.tagName === "DIV") part.classList.toggle("scrolls", part.scrollWidth > part.clientWidth + 1);
  });
  const banner = document.querySelector(".banner");
  const below = () => document.documentElement.style.setProperty("--top", `${banner ? banner.offsetHeight : 0}px`);
  window.addEventListener("resize", () => { below(); wide(); });
  below();
  wide();

  // Contents: closed where they would cover the page, and the section that is read is marked.
  const nav = document.querySelector("nav");
  const contents = document.getElementById("contents");
  const narrow = window.matchMedia("(max-width: 900px)");
  const fold = () => { contents.open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();
  nav.addEventListener("click", event => { if (narrow.matches && event.target.closest("a")) contents.open = false; });
  nav.addEventListener("keydown", event => {
    if (event.key === "Escape" && narrow.matches && contents.open) { contents.open = false; contents.querySelector("summary").focus(); }
  });
  nav.classList.add("follows");
  const entries = [...nav.querySelectorAll("a")].map(link => [link, document.getElementById(target(link))]).filter(([, part]) => part);
  let waiting = false;
  const follow = () => {
    waiting = false;
    const line = Math.min(window.innerHeight / 4, 40 + 2 * window.scrollY) + 80;
    let now = entries.length ? entries[0][0] : null;
    for (const [link, part] of entries) if (!part.hidden && part.getBoundingClientRect().top <= line) now = link;
    entries.forEach(([link]) => {
      if (link === now) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
      const item = link.parentElement;
      if (item.parentElement.parentElement === contents) item.classList.toggle("current", item.contains(now));
    });
  };
  document.addEventListener("scroll", () => { if (!waiting) { waiting = true; requestAnimationFrame(follow); } }, { passive: true });
  follow();

  // Light or dark: as the system says, until the reader chooses; a browser may not let a page keep that.
  const KEPT = "evidence-page-theme";
  const kept = (choice) => {
    try { if (choice) localStorage.setItem(KEPT, choice); return localStorage.getItem(KEPT); } catch { return choice; }
  };
  const before = kept();
  if (before === "light" || before === "dark") document.documentElement.dataset.theme = before;
  const theme = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const told = () => theme.setAttribute("aria-pressed", String(dark()));
  theme.addEventListener("click", () => {
    const chosen = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = chosen;
    kept(chosen);
    told();
  });
  system.addEventListener("change", told);
  told();
  byAddress();
})();
