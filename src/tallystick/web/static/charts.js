// Draws every figure of the page from our own answer. Without scripts the words and links beside it stay.

const dark = matchMedia("(prefers-color-scheme: dark)");
const figures = [...document.querySelectorAll("figure[data-source]")];

async function fetched(address) {
  const answer = await fetch(address, { headers: { accept: "application/json" } });
  // A session that ended leads to the sign-in page, which is no data.
  if (!answer.ok || answer.redirected) {
    throw new Error(answer.headers.get("x-request-id") ?? "");
  }
  return answer.json();
}

function fitted(specification, canvas) {
  delete specification.title; // the page has it as a heading
  specification.width = "container";
  specification.background = "transparent";
  specification.padding = { left: 0, right: 4, top: 8, bottom: 6 };
  if (canvas.dataset.height) {
    specification.height = Number(canvas.dataset.height);
  }
  return specification;
}

async function draw(figure, styles, sources) {
  const canvas = figure.querySelector(".canvas");
  const specification = fitted(structuredClone(await sources.get(figure)), canvas);
  if (!specification.data.values.length) {
    return tell(figure, "drawn", "Nothing in this period.");
  }
  const drawn = await vegaEmbed(canvas, specification, {
    ast: true, // no eval: the page's policy forbids it
    actions: false,
    config: styles[dark.matches ? "dark" : "light"],
    defaultStyle: false,
    renderer: "svg",
    tooltip: { disableDefaultStyle: true },
  });
  figure.finalize?.();
  figure.finalize = () => drawn.finalize();
  figure.dataset.state = "drawn";
}

function tell(figure, state, text) {
  const told = document.createElement("p");
  told.className = "help";
  told.textContent = text;
  figure.querySelector(".canvas").replaceChildren(told);
  figure.dataset.state = state;
}

async function drawOrTell(figure, styles, sources) {
  try {
    await draw(figure, styles, sources);
  } catch (error) {
    const id = error.message && ` Request id ${error.message}`;
    tell(figure, "failed", `This picture could not be loaded; reload the page to try again.${id}`);
  }
}

if (figures.length) {
  const sources = new Map(figures.map((figure) => [figure, fetched(figure.dataset.source)]));
  for (const source of sources.values()) {
    source.catch(() => {}); // told where it is drawn
  }
  const styles = await fetched(document.querySelector("[data-chart-styles]").dataset.chartStyles).catch(() => ({}));
  const drawAll = () => Promise.all(figures.map((figure) => drawOrTell(figure, styles, sources)));
  await drawAll();
  dark.addEventListener("change", drawAll);
}
