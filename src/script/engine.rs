//! The Rhai engine as our scripts see it: every limit set, words freed, output routed, our functions registered.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalContext, OptimizationLevel, Position, Token};

use super::modules::Resolver;
use super::{Event, Host, Limits, Stop, bind, console, secret, value};

/// Words that Rhai reserves and does not use, and that our scripts need as names.
pub const FREED: &[&str] = &["goto", "default"];
/// How deep expressions may nest: outside functions and inside them.
const EXPRESSION_DEPTH: (usize, usize) = (128, 64);
/// Functions in one script.
const FUNCTIONS: usize = 10_000;
/// Texts that the engine keeps one copy of.
const STRINGS_INTERNED: usize = 256;

/// An engine that reads scripts and knows Rhai's own functions, none of ours.
pub fn reader(limits: &Limits) -> Engine {
    let mut engine = Engine::new();
    // Not deprecated: Rhai marks what may change so, hence the pinned minor version.
    #[allow(deprecated)]
    engine.on_parse_token(|token, _, _| match token {
        Token::Reserved(word) if FREED.contains(&word.as_str()) => Token::Identifier(word),
        other => other,
    });
    engine.disable_symbol("eval");
    // It sees and changes the variables of the script that says it: those of before are found by their names after it.
    engine
        .register_custom_syntax_with_state_raw(console::PAUSE, console::parse_pause, true, |_, _, _| Ok(Dynamic::UNIT));
    // What is checked has to be what was written: no folding, no dropping of dead branches.
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_max_operations(limits.operations);
    engine.set_max_call_levels(limits.call_depth);
    engine.set_max_string_size(limits.string_bytes);
    engine.set_max_array_size(limits.array_len);
    engine.set_max_map_size(limits.map_len);
    engine.set_max_modules(limits.modules);
    engine.set_max_variables(limits.variables);
    engine.set_max_functions(FUNCTIONS);
    engine.set_max_expr_depths(EXPRESSION_DEPTH.0, EXPRESSION_DEPTH.1);
    engine.set_max_strings_interned(STRINGS_INTERNED);
    engine
}

/// An engine that tells of variables that nothing defines.
pub fn strict_reader() -> Engine {
    let mut engine = reader(&Limits::default());
    engine.set_strict_variables(true);
    // Here a pause adds nothing: what a script names it has to define itself.
    engine.register_custom_syntax_with_state_raw(console::PAUSE, console::parse_pause, false, |_, _, _| {
        Ok(Dynamic::UNIT)
    });
    engine
}

/// An engine that runs the script of `host`.
pub fn runner(host: &Arc<Host>) -> Engine {
    let mut engine = reader(&host.limits);
    engine.set_module_resolver(Resolver::new(host.import_root.clone()));
    watch(&mut engine, host);
    route_output(&mut engine, host);
    offer_args(&mut engine, host);
    offer_pause(&mut engine, host);
    secret::register(&mut engine, host);
    bind::register(&mut engine, host);
    engine
}

/// Ends loops that call none of our functions.
fn watch(engine: &mut Engine, host: &Arc<Host>) {
    let host = host.clone();
    engine.on_progress(move |_| host.stop.reason().map(Dynamic::from::<Stop>));
}

fn route_output(engine: &mut Engine, host: &Arc<Host>) {
    let listener = host.clone();
    engine.on_print(move |text| listener.tell(Event::Print { text: text.to_owned() }));
    let listener = host.clone();
    engine.on_debug(move |text, source, position: Position| {
        let file = source.map(|source| format!("{source}:")).unwrap_or_default();
        let line = position.line().unwrap_or_default();
        listener.tell(Event::Log { text: format!("{file}{line}: {text}") });
    });
}

fn offer_pause(engine: &mut Engine, host: &Arc<Host>) {
    let host = host.clone();
    engine.register_custom_syntax_with_state_raw(console::PAUSE, console::parse_pause, true, move |context, _, _| {
        console::take_over(&host, context)?;
        Ok(Dynamic::UNIT)
    });
}

/// `args` is seen everywhere, in functions too, unless the script has a variable of that name.
fn offer_args(engine: &mut Engine, host: &Arc<Host>) {
    let entries = host.args.iter().map(|(name, value)| (name.into(), value::from_json(value.clone())));
    let args = Dynamic::from_map(entries.collect());
    // As above.
    #[allow(deprecated)]
    engine.on_var(move |name, _, context: EvalContext| {
        let wanted = name == "args" && !context.scope().contains(name);
        Ok(wanted.then(|| args.clone()))
    });
}
