//! What a verb that ran out of time leaves behind: a page that can be used.

use rhaven::page::{ClickOptions, GotoOptions};

use super::support::{Stage, short, soon};

#[tokio::test]
async fn a_goto_that_ran_out_of_time_leaves_the_old_page_usable() {
    let stage = Stage::with("<title>old</title><button id=go onclick=\"document.title = 'clicked'\">Go</button>").await;
    let error = stage.page.goto(&stage.url("/never"), &GotoOptions::default(), short()).await.unwrap_err();
    assert_eq!(error.error.code(), "timeout");
    assert_eq!(stage.page.main_frame().title(soon()).await.unwrap(), "old");
    stage.find("#go").click(&ClickOptions::default(), soon()).await.unwrap();
    assert_eq!(stage.page.main_frame().title(soon()).await.unwrap(), "clicked");
    assert_eq!(stage.page.url(soon()).await.unwrap(), stage.url("/"));
    stage.end().await;
}
