// The page follows the server: its models may change while it is open.

function choose(index) {
  const other = card?.name !== cards[index].name;
  card = cards[index];
  $("model").value = index;
  $("name").textContent = card.name;
  document.title = `${card.name} · serve`;
  describe(card);
  for (const id of ["fields", "answer", "details"]) $(id).replaceChildren();
  read = forms[card.takes.kind](card.takes);
  rowsBefore = null;
  if (other) plots.outliers.points = plots.drift.points = [];
}

function follow(text) {
  if (text === seen) return;
  seen = text;
  const { models, unavailable } = JSON.parse(text);
  cards = models;
  const lost = unavailable.map(({ name, reason }) => `${name} is not served: ${reason}`).join("; ");
  say("state", lost || (cards.length ? "" : "There is no model yet."), lost !== "");
  document.querySelector("main").hidden = !cards.length;
  $("choice").hidden = cards.length < 2;
  $("model").replaceChildren(...cards.map(({ name, version }, index) => element("option", { value: index }, `${name} ${version}`)));
  const at = (fits) => cards.findIndex(fits);
  const same = at((other) => other.name === card?.name && other.version === card.version);
  if (same >= 0 && JSON.stringify(cards[same]) === JSON.stringify(card)) $("model").value = same;
  else if (cards.length) choose(Math.max(same, at((other) => other.name === card?.name), 0));
}

async function tick() {
  try {
    follow(await ask("page/card"));
    server(await ask("metrics"));
    if (cards.length) {
      const of = card, { model_stats: [stats] } = JSON.parse(await ask(`${pathOf(of)}/stats`));
      if (of === card) watched(stats.monitoring);
    }
  } catch (error) {
    // What comes next is shown anew.
    seen = "";
    say("state", `Error: ${error.message}`, true);
  }
}

$("model").onchange = () => choose(Number($("model").value));
(async () => {
  for (;;) {
    if (!document.hidden) await tick();
    await new Promise((done) => setTimeout(done, INTERVAL));
  }
})();
