//! The client: who signs, where the server is, how long is waited and how often tried again.

use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation};

use super::super::{Checksums, S3Url, StoreError};
use super::{Bucket, S3Blobs, S3Limits, S3Options};

/// The region that servers of one's own take for theirs.
const USUAL_REGION: &str = "us-east-1";
/// The longest pause before a request is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(super) async fn connect(url: &S3Url, options: S3Options) -> Result<S3Blobs, StoreError> {
    let place = url.to_string();
    let limits = options.limits;
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = &url.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(given) = &options.credentials {
        let keys = Credentials::new(&given.access_key, given.secret_key.expose(), None, None, "given to Rhaven");
        loader = loader.credentials_provider(keys);
    }
    let shared = loader.load().await;
    let mut config = aws_sdk_s3::config::Builder::from(&shared)
        .force_path_style(url.path_style)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(limits.attempts)
                .with_initial_backoff(S3Limits::pause(0))
                .with_max_backoff(LONGEST_PAUSE),
        )
        .timeout_config(timeouts(&limits, 0))
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(limits.stalled).build())
        // What is read is proven segment by segment when it is opened.
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .request_checksum_calculation(match url.checksums {
            Checksums::WhenSupported => RequestChecksumCalculation::WhenSupported,
            Checksums::WhenRequired => RequestChecksumCalculation::WhenRequired,
        });
    if let Some(endpoint) = &url.endpoint {
        config = config.endpoint_url(endpoint.as_str().trim_end_matches('/'));
        if shared.region().is_none() {
            config = config.region(Region::from_static(USUAL_REGION));
        }
    } else if shared.region().is_none() {
        let why = "no region is known: add ?region=NAME to its URL, or set AWS_REGION";
        return Err(StoreError::Unavailable { what: place, source: why.into() });
    }
    let client = Client::from_conf(config.build());
    Ok(S3Blobs(Arc::new(Bucket { client, url: url.clone(), place, limits })))
}

fn timeouts(limits: &S3Limits, bytes: usize) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(limits.connect).operation_attempt_timeout(limits.for_bytes(bytes)).build()
}

/// What a request with that many bytes is sent with.
pub(super) fn patience(limits: &S3Limits, bytes: usize) -> Builder {
    aws_sdk_s3::config::Config::builder().timeout_config(timeouts(limits, bytes))
}
