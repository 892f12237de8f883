// The prediction.

function probabilities(labels, values) {
  const rows = labels.map((label, index) => [label, values[index]]).sort((one, other) => other[1] - one[1]);
  const row = ([label, value]) => element("tr", {},
    element("th", { scope: "row" }, label), element("td", {}, percent.format(value)),
    element("td", {}, drawing("svg", { "aria-hidden": "true" },
      drawing("rect", { height: "100%", width: `${100 * Math.min(Math.max(value, 0), 1)}%` }))));
  const caption = rows.length > LISTED ? `Probabilities of the first ${LISTED} of ${rows.length} classes` : "Probabilities";
  return element("table", {}, element("caption", {}, caption), ...rows.slice(0, LISTED).map(row));
}

function show(of, answer) {
  const data = (name) => answer.outputs.find((output) => output.name === name)?.data;
  const { outlier_score: score, is_outlier: odd } = answer.parameters ?? {};
  $("details").replaceChildren();
  if (of.task === "classification") {
    const values = data("probabilities"), label = data("label")[0];
    say("answer", `${of.target}: ${label}, ${percent.format(Math.max(...values))}`);
    $("details").append(probabilities(of.labels, values));
  } else if (of.task) {
    say("answer", `${of.target}: ${rounded(data("prediction")[0], 7)}`);
  } else {
    say("answer", "The model has answered.");
    $("details").append(element("pre", { tabIndex: 0 }, JSON.stringify(answer, null, 1)));
  }
  if (score !== undefined) {
    const words = odd ? "An outlier: it is unlike the training data." : "It is like the training data.";
    $("details").append(element("p", { id: "outlier" }, `${words} Outlier score ${rounded(score)}.`));
  }
}

$("form").onsubmit = async (event) => {
  event.preventDefault();
  if (busy) return;
  busy = true;
  const of = card;
  say("answer", "Predicting …");
  try {
    show(of, JSON.parse(await ask(`${pathOf(of)}/infer`, await read())));
  } catch (error) {
    $("details").replaceChildren();
    say("answer", `Error: ${error.message}`, true);
  } finally {
    busy = false;
  }
};
