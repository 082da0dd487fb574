// Line charts of the last two minutes, in SVG that style.css colours.

export const SPAN_S = 120;

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 46;
const BOTTOM = 18;
const TOP = 6;
const RIGHT = 6;

function element(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

// The smallest of 1, 2, 5 times a power of ten that is not below.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((bound) => bound >= value * 0.999999);
}

function linear(highest, least) {
  const top = roundUp(Math.max(highest, least));
  return { ticks: [0, top / 2, top], place: (value) => value / top };
}

// Whole decades: times differ by factors.
function logarithmic(lowest, highest) {
  const from = Math.floor(Math.log10(lowest) + 1e-9);
  const to = Math.max(from + 1, Math.ceil(Math.log10(highest) - 1e-9));
  const ticks = [];
  for (let power = from; power <= to; power += 1) ticks.push(10 ** power);
  return { ticks, place: (value) => (Math.log10(value) - from) / (to - from) };
}

export class Chart {
  // `lines`: class names of style.css in the order of the values of a sample.
  constructor(svg, { lines, label, show, log = false, fill = false, least = 1 }) {
    Object.assign(this, { svg, lines, label, show, log, fill, least });
    this.samples = [];
  }

  // One moment: seconds, and a value or null for each line.
  add(at, values) {
    this.samples.push({ at, values });
    while (this.samples.length && this.samples[0].at < at - SPAN_S - 5) this.samples.shift();
  }

  draw() {
    const { width, height } = this.svg.getBoundingClientRect();
    if (!width || !this.samples.length) return;
    const now = this.samples.at(-1).at;
    const values = this.samples.flatMap((sample) => sample.values).filter((v) => v !== null);
    const scale = this.log
      ? logarithmic(Math.min(...values, 1e-3), Math.max(...values, 1e-3))
      : linear(Math.max(...values, 0), this.least);
    const x = (at) => LEFT + (1 - (now - at) / SPAN_S) * (width - LEFT - RIGHT);
    const y = (value) => height - BOTTOM - scale.place(value) * (height - BOTTOM - TOP);
    const parts = [];
    for (const tick of scale.ticks) {
      const at = y(tick);
      parts.push(element("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: at, y2: at }));
      const place = { class: "tick", x: LEFT - 6, y: at + 4, "text-anchor": "end" };
      parts.push(element("text", place, this.show(tick)));
    }
    for (const [ago, text, anchor] of [[120, "2 min ago", "start"], [60, "1 min", "middle"], [0, "now", "end"]]) {
      const place = { class: "tick", x: x(now - ago), y: height - 3, "text-anchor": anchor };
      parts.push(element("text", place, text));
    }
    this.lines.forEach((line, number) => parts.push(...this.path(line, number, x, y)));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("aria-label", this.spoken());
    this.svg.replaceChildren(...parts);
  }

  // A line with gaps where there is no value.
  path(line, number, x, y) {
    const runs = [[]];
    for (const { at, values } of this.samples) {
      if (values[number] === null) runs.push([]);
      else runs.at(-1).push(`${x(Math.max(at, this.samples.at(-1).at - SPAN_S)).toFixed(1)} ${y(values[number]).toFixed(1)}`);
    }
    const filled = runs.filter((run) => run.length);
    if (!filled.length) return [];
    // A point of its own is a dot: a line of no length with round ends.
    const d = filled.map((run) => `M${run.join("L")}${run.length === 1 ? "h0" : ""}`).join("");
    const parts = [element("path", { class: `plot ${line}`, d })];
    if (this.fill) {
      const ground = y(0);
      const area = filled
        .map((run) => `M${run[0].split(" ")[0]} ${ground}L${run.join("L")}L${run.at(-1).split(" ")[0]} ${ground}Z`)
        .join("");
      parts.unshift(element("path", { class: `fill ${line}`, d: area }));
    }
    return parts;
  }

  spoken() {
    const first = this.samples.map((sample) => sample.values[0]).filter((value) => value !== null);
    if (!first.length) return `${this.label}: nothing in the last two minutes`;
    const now = this.samples.at(-1).values[0];
    const most = this.show(Math.max(...first));
    return `${this.label}: ${now === null ? "none" : this.show(now)} now, at most ${most} in the last two minutes`;
  }
}
