//! What editors and shells are given: definitions, the schema of the settings, completions, manual pages.

use std::collections::BTreeSet;

use crate::home::{Home, said};

#[test]
fn the_definitions_name_every_function_and_are_the_same_each_time() {
    let home = Home::new();
    let text = home.rhaven(&["docs", "--definitions"]).ends(0).out;
    assert!(text.starts_with("module static;\n"), "{text}");
    let functions = home.rhaven(&["docs", "--json"]).ends(0).json();
    for function in functions.as_array().expect("a list").iter().filter(|entry| entry["group"] != "topics") {
        let name = function["name"].as_str().expect("a name");
        assert!(text.contains(&format!("\nfn {name}(")), "{name} is missing");
        assert!(text.contains(&format!("/// {}", function["example"].as_str().expect("an example"))), "{name}");
    }
    assert!(text.contains("\nfn get page(session: Session) -> Page;\n"), "{text}");
    assert_eq!(home.rhaven(&["docs", "--definitions"]).ends(0).out, text);
}

/// What a schema as ours says of a document: enough of JSON Schema for the words that it uses.
fn fits(schema: &serde_json::Value, document: &serde_json::Value) -> bool {
    let one_of = |name: &str| schema[name].as_array().map(|all| all.iter().any(|inner| fits(inner, document)));
    let kind = match schema["type"].as_str() {
        None => true,
        Some("object") => document.is_object(),
        Some("string") => document.is_string(),
        Some("boolean") => document.is_boolean(),
        Some("integer") => {
            document.as_i64().is_some_and(|number| number >= schema["minimum"].as_i64().unwrap_or(i64::MIN))
        }
        Some(other) => panic!("the schema says {other:?}, which this test does not know"),
    };
    let among = schema["enum"].as_array().is_none_or(|all| all.contains(document));
    let fields = document.as_object().is_none_or(|fields| {
        fields.iter().all(|(name, value)| match schema["properties"].get(name) {
            Some(inner) => fits(inner, value),
            None => schema["additionalProperties"] != false,
        })
    });
    kind && among && fields && one_of("anyOf").unwrap_or(true) && one_of("oneOf").unwrap_or(true)
}

#[test]
fn the_schema_says_of_a_configuration_what_the_program_says_of_it() {
    let home = Home::new();
    let schema = home.rhaven(&["docs", "--config-schema"]).ends(0).json();
    assert!(schema["$schema"].as_str().is_some_and(|address| address.contains("json-schema.org")), "{schema}");
    home.write("one.rhai", "1");
    let check = |text: &str, right: bool| {
        home.write("rhaven.toml", text);
        let said = home.rhaven(&["run", "one.rhai"]).ends(i32::from(!right));
        assert!(right || said.err.contains("error[invalid_"), "{text}: {}", said.err);
        let table: toml::Table = text.parse().expect("TOML");
        let document = serde_json::to_value(table).expect("JSON");
        assert_eq!(fits(&schema, &document), right, "{text} in {schema:#}");
    };
    check(
        "tenant = 'a'\nstore = 'there'\ntimeout = '5m'\nslow_mo = 20\nheaded = false\nttl = 'never'\ncolor = 'never'",
        true,
    );
    check("", true);
    check("tennant = 'a'", false);
    check("headed = 'yes'", false);
    check("timeout = true", false);
    check("color = 'blue'", false);
    check("timeout = -5", false);
}

#[test]
fn completions_are_what_the_shell_can_read() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = home.rhaven(&["completions", shell]).ends(0).out;
        for word in ["practice", "completions", "slow-mo"] {
            assert!(text.contains(word), "{shell} does not know {word}");
        }
        assert_eq!(home.rhaven(&["completions", shell]).ends(0).out, text, "{shell}: another one each time");
    }
    let script = home.write("rhaven.bash", &home.rhaven(&["completions", "bash"]).ends(0).out);
    let ask = "source \"$1\" && COMP_WORDS=(rhaven comp) COMP_CWORD=1 && _rhaven rhaven comp rhaven && echo \"${COMPREPLY[@]}\"";
    for args in
        [vec!["-n", script.to_str().expect("a path")], vec!["-c", ask, "bash", script.to_str().expect("a path")]]
    {
        let answer = said(std::process::Command::new("bash").args(&args)).ends(0);
        assert_eq!(answer.err, "");
        assert!(args[0] == "-n" || answer.out == "completions\n", "{answer:?}");
    }
    home.rhaven(&["completions", "tcsh"]).ends(1);
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let home = Home::new();
    let page = home.rhaven(&["man"]).ends(0).out;
    let help = home.rhaven(&["--help"]).ends(0).out;
    let commands = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("commands");
    let commands: BTreeSet<&str> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands.iter().filter(|command| **command != "help") {
        assert!(page.contains(&format!("rhaven\\-{command}(1)")), "{command} is not in the page");
    }
    assert!(page.contains(".SH EXAMPLES\n.nf\n") && !page.contains("SH EXTRA"), "{page}");
    let written = home.rhaven(&["man", "--out", "pages/man1"]).ends(0).out;
    for name in written.lines() {
        let text = std::fs::read_to_string(home.path().join(name)).expect("a page");
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{name}");
    }
    for name in ["rhaven.1", "rhaven-run.1", "rhaven-session.1", "rhaven-session-show.1"] {
        assert!(written.contains(&format!("pages/man1/{name}\n")), "{name} is missing in {written}");
    }
    assert_eq!(std::fs::read_to_string(home.path().join("pages/man1/rhaven.1")).expect("a page"), page);
}

#[test]
fn docs_can_be_read_at_eighty_columns() {
    let home = Home::new();
    let ask = format!(
        "stty cols 80; '{}' docs; for f in click extract session step; do '{0}' docs $f; done",
        env!("CARGO_BIN_EXE_rhaven")
    );
    let mut command = home.command(&[]);
    let environment: Vec<_> =
        command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    command = std::process::Command::new("script");
    command.args(["-qec", &ask, "/dev/null"]).current_dir(home.path()).env("NO_COLOR", "1");
    command.envs(environment.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let text = said(&mut command).ends(0).out;
    assert!(text.contains("click(selector"), "{text}");
    // An example stands as one would write it.
    let wide: Vec<&str> =
        text.lines().filter(|line| line.trim_end().chars().count() > 80 && !line.starts_with("  extract(")).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}
