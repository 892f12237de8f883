// The card.

function inputsOf({ takes }) {
  switch (takes.kind) {
    case "rows": return `${counted(takes.columns.length, "column")}: ${listed(takes.columns.map((column) => column.name))}`;
    case "pictures": return "a picture";
    case "texts": return "a text";
    default: return "any tensors, which it returns";
  }
}

function describe(card) {
  const { repo, pipeline, data_commit, data_files, trained_by, backbone } = card.provenance ?? {};
  const rows = [
    ["Name", card.name], ["Version", card.version],
    ["Task", card.task ? `${card.task} of ${card.target}` : "conformance model, to try clients with"],
    ["Inputs", inputsOf(card)], ["Classes", listed(card.labels)],
    ...Object.entries(card.metrics ?? {}).map(([name, value]) => [`Held-out ${name}`, rounded(value)]),
    ["Data", repo && repo + (data_commit ? `@${data_commit}` : "") + `, ${counted(data_files, "file")}`],
    ["Pipeline", pipeline], ["Trained by", trained_by],
    ["Backbone", backbone && `${backbone.name}${backbone.licence ? ` (${backbone.licence})` : ""}`],
    ["Outliers", card.outlier_threshold && `score above ${rounded(card.outlier_threshold)}`],
    ["Digest", card.digest],
    ...Object.entries(card.custom).filter(([name]) => name !== "digest"),
  ];
  $("card").replaceChildren(...rows.filter(([, text]) => text).flatMap(([name, text]) =>
    [element("dt", {}, name), element("dd", {}, text)]));
}
