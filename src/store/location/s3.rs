//! `s3://BUCKET/PREFIX?endpoint=..&region=..&path_style=..&checksums=..`. Credentials are never in it: they come by the usual
//! chain of AWS.

use std::fmt;

use url::Url;

use crate::base::closest;

use super::{LocationError, decoded};

/// How one is written, for messages.
const FORM: &str =
    "s3://BUCKET/PREFIX?endpoint=URL&region=NAME&path_style=true is wanted (all but BUCKET may be left out)";
/// What may follow the `?`.
const OPTIONS: [&str; 4] = ["endpoint", "region", "path_style", "checksums"];

/// Where a bucket is, and how to speak to its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Url {
    /// The bucket.
    pub bucket: String,
    /// What all keys begin with: empty, or ends in a slash.
    pub prefix: String,
    /// The server, where it is not the one of AWS.
    pub endpoint: Option<Url>,
    /// The region; else that of the environment or the profile.
    pub region: Option<String>,
    /// Whether the bucket stands in the path and not in the host's name. Where nothing is said: with an endpoint of one's own.
    pub path_style: bool,
    /// Whether checksums are sent with every upload, or only where S3 wants one: some servers do not know them.
    pub checksums: Checksums,
}

/// When checksums go along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksums {
    /// Always.
    #[default]
    WhenSupported,
    /// Only where S3 itself wants one.
    WhenRequired,
}

impl S3Url {
    /// Reads one that begins with `s3:`.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        let wrong = |reason: &str| LocationError::new(format!("{FORM}; {reason}"));
        let url = Url::parse(text).map_err(|error| wrong(&format!("what was given cannot be read: {error}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "keys do not belong into it: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
            ));
        }
        let bucket = url.host_str().filter(|bucket| !bucket.is_empty()).ok_or_else(|| wrong("there is no bucket"))?;
        if url.port().is_some() || url.fragment().is_some() {
            return Err(wrong(
                "a bucket has neither a port nor a #; a server of one's own is ?endpoint=http://HOST:PORT",
            ));
        }
        let prefix = decoded(url.path()).ok_or_else(|| wrong("the prefix has to be text (UTF-8)"))?;
        let prefix = prefix.trim_matches('/');
        let mut read = Self {
            bucket: bucket.to_owned(),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            endpoint: None,
            region: None,
            path_style: false,
            checksums: Checksums::default(),
        };
        let mut path_style = None;
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("endpoint", value) => read.endpoint = Some(endpoint(value).map_err(|reason| wrong(&reason))?),
                ("region", "") => return Err(wrong("region names one, such as eu-central-1")),
                ("region", value) => read.region = Some(value.to_owned()),
                ("path_style", "true") => path_style = Some(true),
                ("path_style", "false") => path_style = Some(false),
                ("path_style", _) => return Err(wrong("path_style is true or false")),
                ("checksums", "when_supported") => read.checksums = Checksums::WhenSupported,
                ("checksums", "when_required") => read.checksums = Checksums::WhenRequired,
                ("checksums", _) => return Err(wrong("checksums is when_supported or when_required")),
                (name, _) => {
                    let near = closest(name, OPTIONS).map(|near| format!("; did you mean {near}?"));
                    let near = near.unwrap_or_else(|| format!("; there are {}", OPTIONS.join(", ")));
                    return Err(wrong(&format!("there is no option {name:?}{near}")));
                }
            }
        }
        read.path_style = path_style.unwrap_or(read.endpoint.is_some());
        Ok(read)
    }
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("endpoint is http://HOST:PORT or https://HOST: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("keys do not belong into the endpoint: they come by the usual chain of AWS".to_owned());
    }
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(_)) => Ok(url),
        _ => Err("endpoint is http://HOST:PORT or https://HOST".to_owned()),
    }
}

impl fmt::Display for S3Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix.trim_end_matches('/'))?;
        }
        let mut options = Vec::new();
        options.extend(self.endpoint.as_ref().map(|url| format!("endpoint={}", url.as_str().trim_end_matches('/'))));
        options.extend(self.region.as_ref().map(|region| format!("region={region}")));
        if self.path_style != self.endpoint.is_some() {
            options.push(format!("path_style={}", self.path_style));
        }
        if self.checksums == Checksums::WhenRequired {
            options.push("checksums=when_required".to_owned());
        }
        if options.is_empty() { Ok(()) } else { write!(f, "?{}", options.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read_and_shown() {
        let text = "s3://team/rhaven/a?endpoint=http://127.0.0.1:9000&region=eu-central-1&checksums=when_required";
        let url = S3Url::parse(text).unwrap();
        assert_eq!((url.bucket.as_str(), url.prefix.as_str()), ("team", "rhaven/a/"));
        assert_eq!(url.endpoint.as_ref().and_then(Url::port), Some(9000));
        assert!(url.path_style && url.checksums == Checksums::WhenRequired);
        assert_eq!(url.to_string(), text);
        for text in ["s3://team", "s3://team?path_style=true", "s3://a/b?endpoint=https://h&path_style=false"] {
            let url = S3Url::parse(text).unwrap();
            assert_eq!((url.to_string().as_str(), S3Url::parse(&url.to_string()).as_ref()), (text, Ok(&url)));
        }
        assert_eq!(S3Url::parse("s3://team/").unwrap().prefix, "");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let refused = |text: &str, part: &str| {
            let error = S3Url::parse(text).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("hunter2"), "{error:?} has no {part:?}");
        };
        refused("s3:", "there is no bucket");
        refused("s3://key:hunter2@bucket", "keys do not belong into it");
        refused("s3://bucket?endpont=x", "did you mean endpoint?");
        refused("s3://bucket?endpoint=u:hunter2@h", "endpoint is http://");
        refused("s3://bucket?endpoint=http://u:hunter2@h", "keys do not belong into the endpoint");
        refused("s3://bucket?path_style=yes", "path_style is true or false");
        refused("s3://bucket:9000", "a bucket has neither a port");
    }
}
