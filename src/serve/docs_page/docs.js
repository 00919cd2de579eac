"use strict";
// Lists the operations of openapi.json, and sends them with the token that was typed. Texts of the document are never markup.

const METHODS = ["get", "post", "put", "delete"];

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made[key] = value;
  made.append(...children);
  return made;
}

function example(schema, all, depth = 0) {
  if (!schema || depth > 6) return null;
  if (schema.$ref) return example(all[schema.$ref.split("/").pop()], all, depth + 1);
  if (schema.example !== undefined) return schema.example;
  const choice = (schema.oneOf ?? schema.anyOf ?? schema.allOf ?? []).find((one) => one.type !== "null");
  if (choice) return example(choice, all, depth + 1);
  if (schema.enum) return schema.enum[0];
  const type = [schema.type].flat()[0];
  if (type === "object" || schema.properties) {
    const wanted = schema.required ?? Object.keys(schema.properties ?? {});
    return Object.fromEntries(wanted.map((key) => [key, example(schema.properties?.[key], all, depth + 1)]));
  }
  return { string: "", integer: 1, number: 1, boolean: true, array: [] }[type] ?? null;
}

function bodyOf(operation, all) {
  const content = operation.requestBody?.content?.["application/json"];
  if (!content) return null;
  return JSON.stringify(content.example ?? example(content.schema, all), null, 2);
}

async function send(path, method, inputs, text, shown) {
  const query = new URLSearchParams();
  const headers = {};
  let address = path;
  for (const [parameter, input] of inputs) {
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "" && parameter.in === "query") query.set(parameter.name, input.value);
    else if (input.value !== "" && parameter.in === "header") headers[parameter.name] = input.value;
  }
  const token = document.getElementById("token").value.trim();
  if (token) headers.authorization = `Bearer ${token}`;
  if (text !== null) headers["content-type"] = "application/json";
  const began = performance.now();
  shown.replaceChildren("..");
  try {
    const base = location.pathname.replace(/\/docs\/?$/, "");
    const search = query.size > 0 ? `?${query}` : "";
    const answer = await fetch(base + address + search, { method: method.toUpperCase(), headers, body: text ?? undefined });
    let body = await answer.text();
    try { body = JSON.stringify(JSON.parse(body), null, 2); } catch { /* not JSON: shown as it is */ }
    const took = Math.round(performance.now() - began);
    const line = `${answer.status} ${answer.statusText}, ${took} ms, ${answer.headers.get("x-request-id") ?? ""}`;
    shown.replaceChildren(element("p", { className: answer.ok ? "good" : "bad" }, line), element("pre", {}, body));
  } catch (error) {
    shown.replaceChildren(element("p", { className: "bad" }, String(error)));
  }
}

function operation(path, method, told, all) {
  const head = element("summary", {}, element("span", { className: "method" }, method.toUpperCase()), element("code", {}, path));
  head.append(" ", element("span", { className: "doc" }, told.summary ?? ""));
  const box = element("details", {}, head);
  if (told.description) box.append(element("p", {}, told.description));
  const inputs = (told.parameters ?? []).map((parameter) => {
    const input = element("input", { placeholder: parameter.description ?? "" });
    box.append(element("label", {}, `${parameter.name} (${parameter.in})`, input));
    return [parameter, input];
  });
  const body = bodyOf(told, all);
  const text = body === null ? null : element("textarea", { value: body, spellcheck: false });
  if (text) box.append(element("label", {}, "Body", text));
  const shown = element("div");
  const button = element("button", { type: "button" }, "Send");
  button.addEventListener("click", () => send(path, method, inputs, text ? text.value : null, shown));
  const answers = element("table");
  for (const [status, response] of Object.entries(told.responses ?? {})) {
    answers.append(element("tr", {}, element("td", {}, status), element("td", { className: "doc" }, response.description ?? "")));
  }
  box.append(button, shown, element("details", {}, element("summary", {}, "Answers"), answers));
  return box;
}

async function show() {
  const description = await (await fetch("openapi.json")).json();
  document.getElementById("about").textContent = `${description.info.description} Version ${description.info.version}.`;
  const all = description.components?.schemas ?? {};
  const groups = new Map((description.tags ?? []).map((tag) => [tag.name, [tag.description ?? "", []]]));
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const method of METHODS.filter((method) => methods[method])) {
      const tag = methods[method].tags?.[0] ?? "server";
      if (!groups.has(tag)) groups.set(tag, ["", []]);
      groups.get(tag)[1].push(operation(path, method, methods[method], all));
    }
  }
  const main = document.getElementById("operations");
  for (const [tag, [about, boxes]] of groups) {
    if (boxes.length > 0) main.append(element("h2", {}, tag), element("p", { className: "doc" }, about), ...boxes);
  }
}

show().catch((error) => document.getElementById("operations").append(element("p", { className: "bad" }, String(error))));
