  globalThis.__rhaven = R;
})();
