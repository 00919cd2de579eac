//! The page as a document: Markdown, tables, structured data, links.

use rhaven::document::MarkdownOptions;
use rhaven::page::Selector;
use serde_json::json;

use super::support::{Stage, short, soon};

const PAGE: &str = "<html><head><title>T</title><meta property='og:title' content='O'>
    <script type='application/ld+json'>{\"@type\": \"Thing\", \"name\": \"a</b\"}</script><style>.gone { display: none }</style></head>
    <body><h1>Head</h1><p class=gone>gone</p><p style='visibility:hidden'>unseen <b style='visibility:visible'>seen</b></p>
    <label>Name <input id=name></label> <label><input id=box type=checkbox> Box</label> <input type=password id=pw>
    <select id=pick><option>one<option>two</select><div id=host><span slot=s>slotted</span></div>
    <nav class=gone><a href='/menu'>Menu</a></nav><p><a href='rel?x=1'>Rel</a></p>
    <iframe srcdoc='<p>In the frame <a href=\"/framed\">framed</a></p><table><tr><th>K<th>V<tr><td>a<td>1</table>'></iframe>
    <table id=t><tr><th>A<th>B<tr class=gone><td>x<td>y<tr><td>1<td>2</table>
    <script>
    const root = document.querySelector('#host').attachShadow({ mode: 'open' });
    root.innerHTML = '<style>p{}</style><p>In the shadow: <slot name=s></slot></p><a href=\"/shadow\">shadow</a>';
    document.querySelector('#name').value = 'Ada <1>';
    document.querySelector('#box').checked = true;
    document.querySelector('#pw').value = 'hunter2';
    document.querySelector('#pick').value = 'two';
    // Twice as deep as Chromium's parser nests; at 3000 the layout of some builds runs out of stack, whoever looks on.
    let deep = document.body;
    for (let i = 0; i < 1200; i++) deep = deep.appendChild(document.createElement('div'));
    deep.textContent = 'deep down';
    </script></body></html>";

#[tokio::test]
async fn markdown_is_what_a_reader_sees_now() {
    let stage = Stage::with(PAGE).await;
    let read = stage.page.markdown(None, &MarkdownOptions::default(), soon()).await.unwrap();
    for seen in ["# Head", "seen", "Name Ada", "☑ Box", "two", "In the shadow: slotted", "In the frame", "deep down"]
    {
        assert!(read.contains(seen), "{seen} is not in {read}");
    }
    for link in ["/rel?x=1", "/shadow", "/framed"] {
        assert!(read.contains(&stage.url(link)), "{link} is not in {read}");
    }
    for unseen in ["gone", "unseen", "hunter2", "Menu", "one"] {
        assert!(!read.contains(unseen), "{unseen} is in {read}");
    }
    assert!(read.contains("| A | B |\n| --- | --- |\n| 1 | 2 |"), "{read}");
    let table = Selector::parse("#t").unwrap();
    let part = stage.page.markdown(Some(&table), &MarkdownOptions::default(), soon()).await.unwrap();
    assert_eq!(part, "| A | B |\n| --- | --- |\n| 1 | 2 |");
    stage.end().await;
}

#[tokio::test]
async fn tables_links_and_structured_data() {
    let stage = Stage::with(PAGE).await;
    let tables = stage.page.tables(None, soon()).await.unwrap();
    let rows: Vec<_> = tables.iter().map(|table| json!(table.rows)).collect();
    assert_eq!(rows, [json!([{"K": "a", "V": "1"}]), json!([{"A": "1", "B": "2"}])]);
    let inner = Selector::parse("iframe >> table").unwrap();
    let inner = stage.page.tables(Some(&inner), soon()).await.unwrap();
    assert_eq!(json!(inner[0].rows), json!([{"K": "a", "V": "1"}]));
    let links = stage.page.links(None, soon()).await.unwrap();
    let mut urls: Vec<String> = links.into_iter().map(|link| link.url).collect();
    urls.sort();
    assert_eq!(urls, ["/framed", "/menu", "/rel?x=1", "/shadow"].map(|path| stage.url(path)));
    let told = stage.page.structured_data(soon()).await.unwrap();
    assert_eq!(json!(told.json_ld), json!([{"@type": "Thing", "name": "a</b"}]));
    assert_eq!(told.open_graph["title"], "O");
    assert_eq!(told.meta["title"], "T");
    stage.end().await;
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let stage = Stage::with("<p>empty").await;
    let none = Selector::parse("#none").unwrap();
    let error = stage.page.tables(Some(&none), short()).await.unwrap_err();
    assert_eq!(error.error.code(), "timeout");
    assert!(error.to_string().contains("#none"), "{error}");
    assert!(stage.page.tables(None, soon()).await.unwrap().is_empty());
    let (html, base) = stage.page.written(true, soon()).await.unwrap();
    assert!(html.contains("<p>empty</p>") && base.as_str() == stage.url("/"), "{html} {base}");
    stage.end().await;
}
