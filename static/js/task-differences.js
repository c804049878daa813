// Which words of two answers differ, marked without touching their text: the browser paints ranges (CSS custom highlights).
const NAME = "difference";
const MAX_CELLS = 4_000_000; // two answers of 2,000 words: some 30 ms; longer ones are compared without their order

let shown = null; // [card, other]

export const canShowDifferences = Boolean(globalThis.CSS?.highlights && globalThis.Intl?.Segmenter);

function words(body) {
  const segmenter = new Intl.Segmenter(undefined, { granularity: "word" });
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    for (const { segment, index } of segmenter.segment(node.data)) {
      if (segment.trim()) found.push({ word: segment, node, start: index, end: index + segment.length });
    }
  }
  return found;
}

/** Indices of words in `one` and `other` that are not in their longest common subsequence: [Set, Set]. */
export function differing(one, other) {
  let start = 0;
  let [endOne, endOther] = [one.length, other.length];
  while (start < endOne && start < endOther && one[start] === other[start]) start += 1;
  while (endOne > start && endOther > start && one[endOne - 1] === other[endOther - 1]) [endOne, endOther] = [endOne - 1, endOther - 1];
  const [rows, columns] = [endOne - start, endOther - start];
  if (rows * columns > MAX_CELLS) return [missingFrom(one, other), missingFrom(other, one)];
  const width = columns + 1;
  const longest = new Uint16Array((rows + 1) * width); // of one[row:] and other[column:]
  for (let row = rows - 1; row >= 0; row -= 1) {
    for (let column = columns - 1; column >= 0; column -= 1) {
      const at = row * width + column;
      longest[at] =
        one[start + row] === other[start + column] ? longest[at + width + 1] + 1 : Math.max(longest[at + width], longest[at + 1]);
    }
  }
  const marks = [new Set(), new Set()];
  let [row, column] = [0, 0];
  while (row < rows || column < columns) {
    const at = row * width + column;
    if (row < rows && column < columns && one[start + row] === other[start + column]) [row, column] = [row + 1, column + 1];
    else if (row < rows && (column === columns || longest[at + width] >= longest[at + 1])) marks[0].add(start + row++);
    else marks[1].add(start + column++);
  }
  return marks;
}

function missingFrom(one, other) {
  const known = new Set(other);
  return new Set(one.flatMap((word, index) => (known.has(word) ? [] : [index])));
}

/** Neighbouring words become one range, so that a changed sentence is one mark. */
function ranges(found, marks) {
  const made = [];
  found.forEach(({ node, start, end }, index) => {
    if (!marks.has(index)) return;
    const isNext = marks.has(index - 1) && made.length;
    const range = isNext ? made.at(-1) : document.createRange();
    if (!isNext) {
      range.setStart(node, start);
      made.push(range);
    }
    range.setEnd(node, end);
  });
  return made;
}

function hide() {
  shown = null;
  CSS.highlights.delete(NAME);
  for (const button of document.querySelectorAll('[data-tool="differ"]')) button.setAttribute("aria-pressed", "false");
}

/** Marks where an answer differs from the one above or beside it; the same again takes the marks away. */
export function toggleDifferences(task, focused) {
  const { cards } = task;
  if (!canShowDifferences || cards.length < 2) return;
  const card = focused ?? cards[1];
  const other = cards[cards.indexOf(card) - 1] ?? cards[1];
  const isShown = shown?.includes(card) && shown.includes(other);
  hide();
  if (isShown) return task.refresh();
  const found = [other, card].map((each) => words(each.querySelector(".answer-body")));
  const marks = differing(...found.map((each) => each.map(({ word }) => word)));
  CSS.highlights.set(NAME, new Highlight(...found.flatMap((each, index) => ranges(each, marks[index]))));
  shown = [other, card];
  card.querySelector('[data-tool="differ"]')?.setAttribute("aria-pressed", "true");
  const said = task.text.differ.replace("%n", marks[0].size + marks[1].size);
  task.say(said.replace("%a", task.letter(other)).replace("%b", task.letter(card)));
  return undefined;
}

export function watchDifferences(current) {
  document.documentElement.classList.toggle("can-differ", canShowDifferences);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.('[data-tool="differ"]');
    if (button) toggleDifferences(current(), button.closest(".answer"));
  });
  document.addEventListener("htmx:afterSwap", () => shown && !shown[0].isConnected && hide());
}
