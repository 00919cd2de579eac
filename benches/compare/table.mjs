// Prints what hyperfine measured as a table.
//   node table.mjs TITLE=RESULT.json...
import { readFileSync } from "node:fs";

const ms = (seconds) => `${(seconds * 1000).toFixed(0)} ms`;
for (const argument of process.argv.slice(2)) {
  const [title, file] = argument.split("=");
  const { results } = JSON.parse(readFileSync(file, "utf8"));
  const sides = new Map(results.map((result) => [result.command, result]));
  const playwright = sides.get("playwright").median;
  console.log(`\n${title} (${results[0].times.length} runs each)\n`);
  console.log("| tool | median | fastest | slowest | of Playwright's median |");
  console.log("|---|---|---|---|---|");
  for (const [name, { median, min, max }] of sides) {
    console.log(`| ${name} | ${ms(median)} | ${ms(min)} | ${ms(max)} | ${(median / playwright).toFixed(2)} |`);
  }
}
