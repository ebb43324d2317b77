"use strict";
// Only helps: without it the page shows the same pictures, tables and sentences.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const svgElement = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const memory = (() => {
    const key = `foretune ${location.pathname}`;
    try {
      const kept = JSON.parse(sessionStorage.getItem(key) ?? "{}");
      return { kept, keep: (name, value) => { kept[name] = value; sessionStorage.setItem(key, JSON.stringify(kept)); } };
    } catch {  // a frame without storage of its own
      return { kept: {}, keep: () => {} };
    }
  })();

  // A trial's marks in all pictures, and its row.
  const marks = new Map();
  for (const mark of all("[data-trial]")) {
    const trial = mark.dataset.trial;
    if (!marks.has(trial)) marks.set(trial, []);
    marks.get(trial).push(mark);
  }
  let lit = null;
  const light = (trial) => {
    if (trial === lit) return;
    for (const mark of marks.get(lit) ?? []) mark.classList.remove("lit");
    for (const mark of marks.get(trial) ?? []) mark.classList.add("lit");
    lit = trial;
  };
  const trialAt = (event) => event.target.closest?.("[data-trial]")?.dataset.trial ?? null;
  document.addEventListener("pointerover", (event) => light(trialAt(event)));
  document.addEventListener("focusin", (event) => light(trialAt(event)));

  const data = JSON.parse(document.getElementById("brushing-data")?.textContent ?? "null");
  const panel = document.getElementById("brushing");
  if (data && panel) brush();

  function brush() {
    const ranges = data.axes.map(() => [0, 1]);
    const valid = (range) => Array.isArray(range) && range.length === 2 && range.every((end) => end >= 0 && end <= 1);
    if (Array.isArray(memory.kept.ranges) && memory.kept.ranges.length === ranges.length)
      memory.kept.ranges.forEach((range, i) => { if (valid(range)) ranges[i] = range; });
    const steps = (axis) => (axis.choices.length ? axis.choices.length - 1 : 200);
    const text = (axis, position) => {
      if (axis.choices.length) return axis.choices[Math.round(position * (axis.choices.length - 1))];
      const value = axis.log ? axis.low * (axis.high / axis.low) ** position : axis.low + (axis.high - axis.low) * position;
      const isPlain = value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5);
      return isPlain ? String(Number(value.toPrecision(3))) : value.toExponential(2).replace(/\.?0+e/, "e").replace("+", "");
    };
    const sliders = data.axes.map((axis, i) => {
      const outputs = [0, 1].map(() => element("span", { className: "value", ariaHidden: "true" }));
      const inputs = [0, 1].map((end) => {
        const input = element("input", { type: "range", min: 0, max: steps(axis), step: 1 });
        input.addEventListener("input", () => {
          const position = Number(input.value) / steps(axis);
          ranges[i][end] = position;
          if (end === 0) ranges[i][1] = Math.max(ranges[i][1], position);
          else ranges[i][0] = Math.min(ranges[i][0], position);
          show();
        });
        return input;
      });
      panel.querySelector(".axes").append(element(
        "fieldset", {},
        element("legend", { textContent: axis.name }),
        ...["from", "to"].map((word, end) => element(
          "label", {}, element("span", { textContent: word }), inputs[end], outputs[end])),
      ));
      return { inputs, outputs };
    });
    const frames = [...brushPicture("wide", 1), ...brushPicture("narrow", 0)];

    // along: the coordinate that runs along the axes, 0 for x and 1 for y
    function brushPicture(kind, along) {
      return all(`#parallel-pictures .${kind} > svg`).map((svg) => {
        const box = svg.viewBox.baseVal;
        const layer = svgElement("g", {});
        svg.append(layer);
        return data.axes.map((_, i) => {
          const [x0, y0, x1, y1] = data[kind][i];
          const ends = along ? [y0 * box.height, y1 * box.height] : [x0 * box.width, x1 * box.width];
          const across = (along ? x0 * box.width : y0 * box.height) - 7;
          const [low, high] = [Math.min(...ends), Math.max(...ends)];
          const sides = (from, to, out) => (along
            ? { x: across - out, width: 14 + 2 * out, y: from, height: Math.max(0, to - from) }
            : { y: across - out, height: 14 + 2 * out, x: from, width: Math.max(0, to - from) });
          const frame = svgElement("rect", { class: "frame" });
          const ground = svgElement("rect", { class: `ground along-${along}`, ...sides(low - 4, high + 4, 4) });
          layer.append(frame, ground);
          const position = (event) => {
            const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
            const share = ((along ? point.y : point.x) - ends[0]) / (ends[1] - ends[0]);
            return Math.min(1, Math.max(0, share));
          };
          let start = null;
          ground.addEventListener("pointerdown", (event) => {
            start = position(event);
            ground.setPointerCapture(event.pointerId);
            event.preventDefault();
          });
          ground.addEventListener("pointermove", (event) => {
            if (start === null) return;
            const now = position(event);
            ranges[i] = Math.abs(now - start) < 0.02 ? [0, 1] : [Math.min(start, now), Math.max(start, now)];
            show();
          });
          ground.addEventListener("pointerup", (event) => {
            if (start !== null && Math.abs(position(event) - start) < 0.02) ranges[i] = [0, 1];
            start = null;
            show();
          });
          ground.addEventListener("pointercancel", () => { start = null; });
          return () => {
            const [from, to] = ranges[i].map((share) => ends[0] + share * (ends[1] - ends[0])).sort((a, b) => a - b);
            const where = sides(from, to, 0);
            for (const [key, value] of Object.entries(where)) frame.setAttribute(key, value);
            frame.style.display = isSet(i) ? "" : "none";
          };
        });
      }).flat();
    }

    function isSet(i) {
      return ranges[i][0] > 0 || ranges[i][1] < 1;
    }

    function isChosen(places) {
      return ranges.every(([from, to], i) =>
        !isSet(i) || (places[i] !== null && places[i] >= from - 1e-4 && places[i] <= to + 1e-4));
    }

    function show() {
      sliders.forEach(({ inputs, outputs }, i) => {
        const axis = data.axes[i];
        ranges[i].forEach((position, end) => {
          inputs[end].value = Math.round(position * steps(axis));
          inputs[end].setAttribute("aria-valuetext", text(axis, position));
          outputs[end].textContent = text(axis, position);
        });
      });
      for (const draw of frames) draw();
      const isAny = ranges.some((_, i) => isSet(i));
      let count = 0;
      for (const places of Object.values(data.trials)) count += isChosen(places);
      for (const [trial, found] of marks) {
        const places = data.trials[trial] ?? data.trials[trial.replace(/-r\d+$/, "")];
        const isOut = isAny && !(places && isChosen(places));
        for (const mark of found) {
          if (mark.tagName === "TR") mark.hidden = isOut;
          else mark.classList.toggle("dim", isOut);
        }
      }
      const trials = Object.keys(data.trials).length;
      const said = isAny ? `${count} of ${trials} trials chosen; the others are pale, and left out of the leaderboard.`
        : `All ${trials} trials are shown.`;
      const status = document.getElementById("brushing-status");
      if (status.textContent !== said) status.textContent = said;
      panel.querySelector("button").disabled = !isAny;
      memory.keep("ranges", ranges);
    }

    panel.querySelector("button").addEventListener("click", () => {
      ranges.forEach((_, i) => { ranges[i] = [0, 1]; });
      show();
    });
    panel.hidden = false;
    show();
  }

  // While the sweep runs its page is written again: this reads it again, and scroll and choice stay.
  const refresh = document.getElementById("refresh");
  if (refresh && location.protocol !== "about:") {  // a notebook's copy stays as it is
    const box = refresh.querySelector("input");
    box.checked = memory.kept.refresh !== false;
    box.addEventListener("change", () => memory.keep("refresh", box.checked));
    refresh.hidden = false;
    const isBusy = () => panel?.contains(document.activeElement) || !getSelection().isCollapsed;
    let since = Date.now();
    for (const moved of ["pointerdown", "keydown"]) document.addEventListener(moved, () => { since = Date.now(); });
    setInterval(() => {
      const seconds = (Date.now() - since) / 1000;
      if (box.checked && !document.hidden && seconds >= Number(refresh.dataset.seconds) && !isBusy()) location.reload();
    }, 1000);
  }
})();
