//! Saved profiles in a page: choose one, use it in an embedded browser, and find it again as it was left.
//!
//!     RHAVEN_TOKEN=rhvn_... cargo run --example live_profiles -- http://127.0.0.1:7300

mod backend;

use std::error::Error;

use url::Url;

/// On this machine only: who reaches it can open every profile.
const LISTEN: &str = "127.0.0.1:8080";

#[tokio::main]
#[allow(clippy::print_stdout, reason = "says where it is")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).ok_or("the address of `rhaven serve` is wanted: http://127.0.0.1:7300")?;
    // Not an argument: every process of the machine may read those.
    let token =
        std::env::var("RHAVEN_TOKEN").map_err(|_| "RHAVEN_TOKEN is wanted: `rhaven token create --scope vm`")?;
    let app = backend::router(backend::Rhaven::new(Url::parse(&server)?, token));
    let listener = tokio::net::TcpListener::bind(LISTEN).await?;
    println!("http://{LISTEN}");
    axum::serve(listener, app).await?;
    Ok(())
}
