// Putting a login back and saving it in Playwright, timed without the start of the browser. Prints three lists of milliseconds:
// until the page is there, of the save, of both.
//   node state.mjs BASE_URL STATE_FILE BROWSER RUNS
import { chromium } from "playwright-core";

const [base, stateFile, executablePath, runs] = process.argv.slice(2);

const dashboard = async (page) => {
  await page.goto(`${base}/dashboard?avatar=0`);
  await page.locator("html[data-ready=yes]").waitFor({ state: "attached" });
};

const launch = () => chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 });
{
  const browser = await launch();
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${base}/login`);
  await page.locator("#email").fill("user@example.com");
  await page.locator("#password").fill("correct horse battery");
  await page.locator("button[type=submit]").click();
  await page.locator(".user-avatar").waitFor();
  await dashboard(page);
  await context.storageState({ path: stateFile, indexedDB: true });
  await browser.close();
}
const [opened, saved] = [[], []];
for (let run = 0; run < Number(runs); run++) {
  const browser = await launch();
  let begun = performance.now();
  const context = await browser.newContext({ storageState: stateFile });
  const page = await context.newPage();
  await dashboard(page);
  opened.push(performance.now() - begun);
  await page.evaluate((run) => localStorage.setItem("visit", String(run)), run);
  begun = performance.now();
  await context.storageState({ path: stateFile, indexedDB: true });
  saved.push(performance.now() - begun);
  await browser.close();
}
console.log(JSON.stringify([opened, saved, opened.map((span, run) => span + saved[run])]));
