  // Pickers. Chromium's own would be in no picture; it is kept from opening and the viewer's page draws one.
  const DATES = ['date', 'time', 'datetime-local', 'month', 'week'];
  const OFFERING = ['text', 'search', 'url', 'tel', 'email', 'number'];
  let picked = null;
  let tokens = 0;

  const isMenu = element => element instanceof HTMLSelectElement && !element.multiple && element.size <= 1 &&
    !element.disabled && getComputedStyle(element).appearance !== 'base-select';
  const isField = element => element instanceof HTMLInputElement && !element.disabled && !element.readOnly &&
    (element.type === 'color' || DATES.includes(element.type));

  // A field that offers what is in a list; what Chromium shows while one types would be in no picture either, and is not shown.
  const isOffering = element => element instanceof HTMLInputElement && !element.disabled && !element.readOnly &&
    OFFERING.includes(element.type) && element.list?.options.length > 0;

  const choices = element => Array.from(element.options, (option, index) => ({
    label: option.label || option.text, value: String(index), selected: option.selected,
    group: option.parentElement instanceof HTMLOptGroupElement ? option.parentElement.label : undefined,
    disabled: option.disabled || (option.parentElement instanceof HTMLOptGroupElement && option.parentElement.disabled),
    shown: getComputedStyle(option).display !== 'none',
  })).filter(option => option.shown).map(({ shown, ...option }) => option);

  const open = (element, kind) => {
    picked = { element, kind, token: ++tokens };
    const told = { kind, token: tokens, value: element.value, ...rectOf(element) };
    if (kind === 'select') {
      told.options = choices(element);
    } else if (kind === 'list') {
      told.kind = 'select';
      told.options = Array.from(element.list.options, (option, index) => ({
        label: option.label || option.value, value: String(index), selected: option.value === element.value, disabled: option.disabled,
      }));
    } else {
      told.min = element.min || undefined;
      told.max = element.max || undefined;
      told.step = element.step || undefined;
      told.options = Array.from(element.list?.options ?? [], option => ({ label: option.label || option.value, value: option.value }));
    }
    tell('picker', told);
  };

  // Sets what was chosen, as a person's choice does.
  live.pick = (token, values) => {
    if (picked?.token !== token) return false;
    const { element, kind } = picked;
    picked = null;
    if (!element.isConnected) return false;
    if (kind === 'list') {
      const option = element.list?.options[Number(values[0])];
      if (!option) return false;
      element.value = option.value;
    } else if (kind === 'select') {
      const index = Number(values[0]);
      if (!(index in element.options) || element.selectedIndex === index) return index in element.options;
      element.selectedIndex = index;
    } else {
      if (element.value === values[0]) return true;
      element.value = values[0];
    }
    element.dispatchEvent(new Event('input', { bubbles: true, composed: true }));
    element.dispatchEvent(new Event('change', { bubbles: true }));
    return true;
  };
  live.unpick = token => { if (picked?.token === token) picked = null; };
  const gone = () => {
    if (!picked) return;
    tell('unpicked', { token: picked.token });
    picked = null;
  };

  // The indicator stands at the end of the field; some sites lay it over the whole of it.
  const onIndicator = (element, event) => {
    if (event.detail === 0 || event.pointerType === 'touch') return true;
    const indicator = getComputedStyle(element, '::-webkit-calendar-picker-indicator');
    if (indicator.position === 'absolute' || parseFloat(indicator.width) > 48) return true;
    const style = getComputedStyle(element), rect = element.getBoundingClientRect();
    if (style.direction === 'rtl') return event.clientX <= rect.left + parseFloat(style.paddingLeft) + 28;
    return event.clientX >= rect.right - parseFloat(style.paddingRight) - parseFloat(style.borderRightWidth) - 28;
  };

  on('mousedown', event => {
    if (!event.isTrusted) return;
    pointer = { x: event.clientX, y: event.clientY };
    const element = deep(event);
    if (picked && picked.element !== element) gone();
    const menu = element instanceof Element ? element.closest('select') : null;
    if (event.button !== 0 || !menu || !isMenu(menu)) return;
    event.preventDefault();
    menu.focus({ preventScroll: true });
    open(menu, 'select');
  });
  on('click', event => {
    const element = deep(event);
    const input = element instanceof Element ? element.closest('input') : null;
    if (!input || !(event.isTrusted || navigator.userActivation.isActive)) return;
    if (isOffering(input) && event.detail > 0 && onIndicator(input, event)) open(input, 'list');
    if (!isField(input)) return;
    event.preventDefault();
    if (input.type === 'color' || onIndicator(input, event)) open(input, input.type);
  });
  on('keydown', event => {
    if (!event.isTrusted) return;
    const element = deep(event);
    const asks = event.key === 'F4' || (event.altKey && (event.key === 'ArrowDown' || event.key === 'ArrowUp'));
    const plain = !event.ctrlKey && !event.altKey && !event.metaKey;
    if (isMenu(element)) {
      if (!asks && !(event.key === ' ' && plain)) return;
      event.preventDefault();
      open(element, 'select');
    } else if (isField(element) && element.type !== 'color') {
      if (!asks && !(event.key === ' ' && plain)) return;
      event.preventDefault();
      open(element, element.type);
    } else if (isOffering(element) && (asks || (plain && event.key === 'ArrowDown' && element.type !== 'number'))) {
      event.preventDefault();
      open(element, 'list');
    }
  });
  // The page asks for one by `showPicker`.
  on('rhaven-picker', event => {
    event.stopImmediatePropagation();
    const element = deep(event);
    const kind = isMenu(element) ? 'select' : isField(element) ? element.type : isOffering(element) ? 'list' : null;
    if (!kind || !navigator.userActivation.isActive) return;
    event.preventDefault();
    open(element, kind);
  });
  // Its menu would be in no picture, and take what comes next.
  window.addEventListener('contextmenu', event => event.preventDefault(), { signal: over.signal });
