"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const panel = document.getElementById("panel");
  const title = document.getElementById("panel-title");
  const body = document.getElementById("panel-body");
  const byId = new Map(data.readings.filter(row => row.id !== null).map(row => [row.id, row]));
  const anchorOf = new Map(Object.entries(data.keys).map(([anchor, study]) => [study, anchor]));

  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    if (text !== undefined && text !== null) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  const readingTable = rows => {
    const heads = ["Arm", "Outcome", "As reported", "Used as", "Source", "Page or figure", "File and line"];
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
    const scroll = make("div", null, { class: "scroll", tabindex: "0", role: "group", "aria-label": "Readings, scrolls sideways where it is wider than the panel" });
    scroll.append(table);
    return scroll;
  };

  const showNumber = number => {
    title.textContent = number.title;
    body.replaceChildren(make("p", number.value, { class: "value" }));
    if (number.note) body.append(make("p", number.note));
    if (number.parts.length) body.append(make("p", `${number.parts.length} contrasts stand behind it, heaviest first.`));
    number.parts.forEach(([contrast, weight, study]) => {
      const known = data.contrasts[contrast];
      const heading = make("h3");
      heading.append(make("a", known ? known.study : data.studies[study], { href: `#${study}` }));
      heading.append(`: weight ${weight || "not kept"}` + (known && known.effect ? `, own effect ${known.effect}` : ""));
      body.append(heading);
      const rows = known ? known.rows.map(id => byId.get(id)).filter(Boolean) : [];
      const own = rows.length ? rows : data.readings.filter(row => row.id === null && anchorOf.get(row.study) === study);
      if (own.length) body.append(readingTable(own));
    });
    const line = make("p", "On the command line: ");
    line.append(make("code", `evidence trace ${data.database} "${number.address}"`));
    body.append(line);
  };

  const showStudy = anchor => {
    title.textContent = data.studies[anchor];
    const rows = data.readings.filter(row => row.study === data.keys[anchor]);
    body.replaceChildren(make("p", rows.length ? `${rows.length} readings of this study.` : "No reading of this study was entered."));
    if (rows.length) body.append(readingTable(rows));
  };

  const target = link => {
    const address = link && (link.getAttribute("href") || link.getAttribute("xlink:href"));
    return address && address.startsWith("#") ? address.slice(1) : "";
  };

  document.addEventListener("click", event => {
    const anchor = target(event.target.closest("a"));
    const number = data.numbers[anchor];
    if (!number && !(anchor in data.studies)) return;
    event.preventDefault();
    if (number) showNumber(number); else showStudy(anchor);
    if (!panel.open) panel.showModal();
    panel.scrollTop = 0;
  });
  panel.addEventListener("click", event => { if (event.target === panel) panel.close(); });

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
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
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
})();
