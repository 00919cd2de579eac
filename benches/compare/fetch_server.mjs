// A warm server that answers a page request as one would write it with Playwright: a new context with the stored state, goto,
// extract, save the state. Prints its URL, then serves until it is killed.
//   node fetch_server.mjs STATE_FILE BROWSER
import { createServer } from "node:http";
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const [stateFile, executablePath] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 });

const fetchPage = async ({ url, selector }) => {
  const context = await browser.newContext(existsSync(stateFile) ? { storageState: stateFile } : {});
  try {
    const page = await context.newPage();
    await page.goto(url);
    const title = await page.locator(selector).textContent();
    await context.storageState({ path: stateFile, indexedDB: true });
    return { title };
  } finally {
    await context.close();
  }
};

const server = createServer(async (request, response) => {
  let body = "";
  for await (const piece of request) body += piece;
  const answer = await fetchPage(JSON.parse(body));
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(answer));
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
