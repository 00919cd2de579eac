//! What `rhaven docs` tells beside the functions: one text in Markdown per topic, and the table of them. Knows nothing of how
//! they are shown.

/// Something that is not about one function.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    /// Its name. It may be a function's name as well: then it tells more of that function.
    pub name: &'static str,
    /// What it is about, in one line.
    pub doc: &'static str,
    /// The text, in Markdown: headings, paragraphs, tables, blocks of code.
    pub text: &'static str,
}

const TOPICS: &[Topic] = &[
    Topic {
        name: "selectors",
        doc: "How elements are found: CSS, texts, labels, roles, chains, frames",
        text: include_str!("docs/selectors.md"),
    },
    Topic {
        name: "extract",
        doc: "The schemas of extract: shapes, options of fields, waiting",
        text: include_str!("docs/extract.md"),
    },
    Topic {
        name: "reading",
        doc: "Markdown, tables, links and structured data of a page; lists that load as one scrolls",
        text: include_str!("docs/reading.md"),
    },
    Topic { name: "globs", doc: "Patterns for URLs", text: include_str!("docs/globs.md") },
    Topic {
        name: "sessions",
        doc: "What is kept and when, expiry, two runs at once",
        text: include_str!("docs/sessions.md"),
    },
    Topic {
        name: "identities",
        doc: "What a session tells sites: user agent, language, time zone, devices",
        text: include_str!("docs/identities.md"),
    },
    Topic {
        name: "secrets",
        doc: "Where secrets come from and what can be done with them",
        text: include_str!("docs/secrets.md"),
    },
    Topic {
        name: "keys",
        doc: "Where the key comes from, passphrases, changing the key",
        text: include_str!("docs/keys.md"),
    },
    Topic {
        name: "stores",
        doc: "Where sessions are kept: a folder, or Redis and S3 for many machines; copies, backup, loss",
        text: include_str!("docs/stores.md"),
    },
    Topic {
        name: "repl",
        doc: "Typing a script line by line: keys, commands, what is kept",
        text: include_str!("docs/repl.md"),
    },
    Topic {
        name: "serve",
        doc: "rhaven serve: scripts, pages and sessions over HTTP; tokens, limits, ending, what it protects from",
        text: include_str!("docs/serve.md"),
    },
    Topic {
        name: "fetch",
        doc: "Page requests over HTTP: /v1/fetch and /v1/interact, their actions, outputs and ways to extract",
        text: include_str!("docs/fetch.md"),
    },
    Topic {
        name: "egress",
        doc: "What a server lets be reached: addresses, flags, proxies",
        text: include_str!("docs/egress.md"),
    },
    Topic { name: "limits", doc: "How long and how much", text: include_str!("docs/limits.md") },
    Topic {
        name: "watch",
        doc: "rhaven watch: what runs when, what happens to sessions, keys",
        text: include_str!("docs/watch.md"),
    },
    Topic {
        name: "jobs",
        doc: "rhaven serve: work that nobody waits for, the queue, restarts",
        text: include_str!("docs/jobs.md"),
    },
    Topic {
        name: "handover",
        doc: "A script and a person share one browser: pause_for_human, live sessions",
        text: include_str!("docs/handover.md"),
    },
    Topic {
        name: "embed",
        doc: "The page of a live browser: its keys, and putting it into a page of yours",
        text: include_str!("docs/embed.md"),
    },
    Topic {
        name: "editors",
        doc: "Completion and checking in an editor and in a shell",
        text: include_str!("docs/editors.md"),
    },
    Topic {
        name: "errors",
        doc: "Every error code: what it means, the way out, the exit code",
        text: include_str!("docs/errors.md"),
    },
];

/// All topics, in the order in which they are listed.
pub fn topics() -> impl Iterator<Item = &'static Topic> {
    TOPICS.iter()
}

/// The topic by that name.
pub fn topic(name: &str) -> Option<&'static Topic> {
    topics().find(|topic| topic.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_markdown_that_can_be_shown() {
        for Topic { name, text, .. } in topics() {
            assert!(text.starts_with("# ") && text.ends_with('\n'), "{name} has no heading or no end");
            let fences = text.lines().filter(|line| line.starts_with("```")).count();
            assert_eq!(fences % 2, 0, "a block of code in {name} is not closed");
            let bars = |line: &str| line.replace("\\|", "").matches('|').count();
            let mut columns = 0;
            for (number, line) in text.lines().enumerate() {
                assert!(line.chars().count() <= 200, "{name}:{} is long", number + 1);
                let is_row = line.starts_with('|');
                assert!(
                    !is_row || columns == 0 || bars(line) == columns,
                    "{name}:{}: a cell too many or few",
                    number + 1
                );
                columns = if is_row { bars(line) } else { 0 };
            }
        }
    }
}
