// One bundle, evaluated once per document in an isolated world. It knows only the DOM and answers tagged JSON.
// The files of this folder are joined in the order that world.rs names.
(() => {
  'use strict';
  if (globalThis.__rhaven) return;
  const R = {};
  // Elements that Rust speaks of by token between the calls of one action.
  const held = new Map();
  // Closed shadow roots, by host, as far as Rust has handed them in.
  const closed = new WeakMap();
  let useClosed = false;
  const now = () => performance.now();
