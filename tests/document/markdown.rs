//! Markdown of documents.

use rhaven::document::{MarkdownOptions, markdown};

use super::base;

fn whole(html: &str) -> String {
    markdown(html, &base(), &MarkdownOptions::default()).unwrap()
}

fn main_content(html: &str) -> String {
    markdown(html, &base(), &MarkdownOptions { main_content: true }).unwrap()
}

#[test]
fn headings_text_links_and_lists() {
    let html = "<title>T</title><h1>One</h1><p>Some <b>bold</b> and <em>slanted</em> text with <a href='../x?y=1'>a link</a>.</p>\
                <ul><li>first<li>second<ul><li>inner</ul></ul><ol start=3><li>three<li>four</ol><hr><blockquote>said</blockquote>";
    let wanted = "# One\n\nSome **bold** and *slanted* text with [a link](https://example.com/x?y=1).\n\n\
                  - first\n- second\n  - inner\n\n3. three\n4. four\n\n* * *\n\n> said";
    assert_eq!(whole(html), wanted);
}

#[test]
fn code_keeps_its_lines() {
    let html = "<p>Call <code>f()</code>:</p><pre><code class='language-rust'>fn f() {\n\n\n    g(\"|\");\n}\n</code></pre><pre>plain\n  text</pre>";
    let wanted = "Call `f()`:\n\n```rust\nfn f() {\n\n\n    g(\"|\");\n}\n```\n\n```\nplain\n  text\n```";
    assert_eq!(whole(html), wanted);
}

#[test]
fn nothing_that_a_reader_does_not_see() {
    let html = "<p>seen</p><script>alert(1)</script><style>p{}</style><noscript>no</noscript><template>no</template>\
                <p hidden>no</p><div style='display:none'>no</div><!-- no --><input type=hidden value=no><dialog>no</dialog>\
                <svg><title>no</title></svg><a href='javascript:no()'>button</a><img src='data:image/png;base64,no' alt=no>\
                <input type=password value=no>";
    assert_eq!(whole(html), "seen\n\nbutton");
}

#[test]
fn tables_in_every_shape() {
    let html = "<table><caption>Prices</caption><tr><th>Item<th>Price<th>Note</tr>\
                <tr><th>Pen<td>1 | 2<td rowspan=2>both<br>rows</tr><tr><th>Ink<td><a href='/ink'>3</a></tr>\
                <tr><td colspan=2>sum<td>4</tr></table>";
    let wanted = "Prices\n\n| Item | Price | Note |\n| --- | --- | --- |\n| Pen | 1 \\| 2 | both rows |\n\
                  | Ink | [3](https://example.com/ink) | both rows |\n| sum |  | 4 |";
    assert_eq!(whole(html), wanted);
    let pairs = "<table><tr><td>Weight</td><td>1 kg</td></tr><tr><td>Size</td><td>2 m</td></tr></table>";
    assert_eq!(whole(pairs), "|  |  |\n| --- | --- |\n| Weight | 1 kg |\n| Size | 2 m |");
    let layout = "<table role=presentation><tr><td><h2>Left</h2></td><td><p>Right</p></td></tr></table>";
    assert_eq!(whole(layout), "## Left\n\nRight");
}

#[test]
fn fields_are_what_they_hold() {
    let html = "<label>Name <input value='Ada'></label> <label><input type=checkbox checked> News</label>\
                <select><option>a<option selected>b</select><textarea>long</textarea>";
    assert_eq!(whole(html), "Name Ada ☑ News b long");
}

#[test]
fn links_without_text_are_called_by_their_label() {
    let html = "<p><a href='/cart' aria-label='Cart'><svg></svg></a> <a href='/empty'></a> <a href='/pic'><img src='/p.png' alt='Pic'></a></p>";
    assert_eq!(
        whole(html),
        "[Cart](https://example.com/cart) [![Pic](https://example.com/p.png)](https://example.com/pic)"
    );
}

#[test]
fn the_main_content_is_without_what_stands_beside_it() {
    let article = std::fs::read_to_string("tests/document/corpus/08-news-article.html").unwrap();
    let read = main_content(&article);
    assert!(read.starts_with("# Ferry line to return after eleven years"), "{read}");
    assert!(read.contains("We have known that since the Romans") && read.contains("Who pays"), "{read}");
    for aside in ["privacy", "Weather", "Most read", "Editor:", "Advertisement"] {
        assert!(!read.contains(aside), "{aside} in {read}");
    }
    let list = std::fs::read_to_string("tests/document/corpus/03-card-grid.html").unwrap();
    let read = main_content(&list);
    assert!(read.contains("Banker's Classic") && read.contains("$1,129.00"), "{read}");
    assert!(!read.contains("Shipping"), "{read}");
}
