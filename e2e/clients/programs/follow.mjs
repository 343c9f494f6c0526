// Follows a log over the ends of connections: each time it goes on after the cursor of the last batch it saw.

const PAUSE = 250;

// `watch(variables, { next, error, complete })` subscribes and returns a function that unsubscribes. Lines are `line N`.
export async function follow({ watch, lines }) {
  const seen = [];
  let [after, dropped, connections, from] = [null, 0, 0, 0];
  while (seen.length < lines) {
    connections += 1;
    await new Promise((resolve) => {
      let unsubscribe = () => {};
      const next = (batch) => {
        seen.push(...batch.lines.flatMap(({ message }) => message.match(/^line (\d+)$/)?.slice(1).map(Number) ?? []));
        after = batch.endCursor;
        dropped += batch.droppedLines;
        if (Math.floor(seen.length / 100) > from) {
          from = Math.floor(seen.length / 100);
          console.log(`seen ${seen.length}`);
        }
        if (seen.length >= lines) {
          unsubscribe();
          resolve();
        }
      };
      unsubscribe = watch({ after, tail: 10000 }, { next, error: resolve, complete: resolve }) ?? unsubscribe;
    });
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  const wrong = seen.findIndex((number, at) => at > 0 && number !== seen[at - 1] + 1);
  if (wrong !== -1) {
    throw new Error(`after line ${seen[wrong - 1]} came line ${seen[wrong]}, at ${wrong} of ${seen.length}`);
  }
  if (seen[0] !== 1 || dropped !== 0) {
    throw new Error(`it begins with line ${seen[0]}, and ${dropped} lines were dropped`);
  }
  console.log(`lines 1 to ${seen.at(-1)}, each once, over ${connections} connections`);
}
