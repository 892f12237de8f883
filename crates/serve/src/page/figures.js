// The figures.

class Plot {
  constructor(title) {
    this.title = title;
    this.points = [];
    this.image = drawing("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img" });
    this.caption = element("figcaption", {});
    $("figures").append(element("figure", {}, this.caption, this.image));
  }

  /** Adds a point, null where there is none. The plot ends at the highest, or at `top` if that is higher. */
  add(point, text, { top = 0, limit = null, share = (value, highest) => value / highest } = {}) {
    this.points = [...this.points, point].slice(-POINTS);
    const known = this.points.filter((value) => value !== null), highest = Math.max(top, ...known) || 1;
    const x = (index) => 100 * (index + POINTS - this.points.length) / (POINTS - 1);
    const y = (value) => 38 - 36 * share(value, highest);
    let line = "", before = null;
    this.points.forEach((value, index) => {
      if (value !== null) line += `${before === null ? "M" : "L"}${x(index).toFixed(2)} ${y(value).toFixed(2)}${before === null ? "l0 0" : ""}`;
      before = value;
    });
    const parts = [drawing("path", { d: line })];
    if (limit !== null) parts.push(drawing("path", { class: "limit", d: `M0 ${y(limit).toFixed(2)}H100` }));
    this.image.replaceChildren(...parts);
    const range = known.length ? `; in the plot from ${rounded(Math.min(...known))} to ${rounded(Math.max(...known))}` : "";
    this.image.setAttribute("aria-label", `${this.title}: ${text}${range}`);
    this.caption.textContent = `${this.title}: ${text}`;
  }
}

const plots = { requests: new Plot("Predictions per second"), latency: new Plot("Latency, ms"), outliers: new Plot("Outliers"), drift: new Plot("Drift, p-value") };
let before = null, rowsBefore = null;

/** A p-value of 1 is at the top, one of a millionth or less at the bottom. */
const logarithm = (value) => 1 + Math.log10(Math.max(value, 1e-6)) / 6;

/** The sum of the series of a name whose labels are `wanted`, for predictions. */
function total(metrics, name, wanted = /./) {
  const lines = metrics.split("\n").filter((line) => line.startsWith(`${name}{`));
  const values = lines.filter((line) => line.includes('method="predict"') && wanted.test(line));
  return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

function server(metrics) {
  const now = { time: performance.now(), count: total(metrics, "serve_request_seconds_count"), seconds: total(metrics, "serve_request_seconds_sum") };
  const failed = now.count - total(metrics, "serve_requests_total", /code="(2\d\d|OK)"/);
  const count = before && now.count >= before.count ? now.count - before.count : null;
  const rate = count === null ? null : 1000 * count / (now.time - before.time);
  const latency = count ? 1000 * (now.seconds - before.seconds) / count : null;
  before = now;
  plots.requests.add(rate, `${rounded(rate ?? 0)}; ${now.count} so far, ${failed} failed`);
  const mean = now.count ? `; mean of all ${rounded(1000 * now.seconds / now.count)}` : "";
  plots.latency.add(latency, (latency === null ? "no predictions now" : rounded(latency)) + mean);
}

function watched(monitoring) {
  if (!monitoring) {
    plots.outliers.add(null, "not watched");
    return plots.drift.add(null, "not watched");
  }
  const { outliers, drift } = monitoring, { last } = drift;
  const fresh = rowsBefore ? outliers.rows - rowsBefore.rows : 0;
  const share = fresh > 0 ? (outliers.outliers - rowsBefore.outliers) / fresh : null;
  rowsBefore = outliers;
  plots.outliers.add(share, `${outliers.outliers} of ${counted(outliers.rows, "row")}`, { top: 1 });
  if (!last) return plots.drift.add(null, `no window of ${drift.requests_per_window} requests is full yet`);
  const words = `${rounded(last.p_value)}, ${last.drifted ? "drifted" : "not drifted"}`;
  plots.drift.add(last.p_value, `${words}; ${drift.drifted} of ${drift.windows} windows drifted`, { limit: last.threshold, share: logarithm });
}
