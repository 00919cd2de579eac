//! What `rhaven identity set` is told of an identity: its flags, checked.

use clap::builder::PossibleValuesParser;

use crate::session::identity::{self, COLOR_SCHEMES, REDUCED_MOTIONS};
use crate::session::{
    Geolocation, HttpCredentials, Identity, IdentityProxy, SecretRef, SessionError, Viewport, secret_name,
};

/// What an identity tells.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct Told {
    /// A well-known device, whose user agent, viewport, scale and touch are taken
    #[arg(long, value_parser = device)]
    device: Option<String>,
    /// The user agent; client hints follow from it
    #[arg(long, value_name = "TEXT", value_parser = user_agent)]
    user_agent: Option<String>,
    /// The language, such as de-DE
    #[arg(long, value_name = "TAG", value_parser = identity::locale)]
    locale: Option<String>,
    /// The time zone, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", value_parser = identity::timezone)]
    timezone: Option<String>,
    /// The size of pages in CSS pixels
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = viewport)]
    viewport: Option<Viewport>,
    /// What prefers-color-scheme answers
    #[arg(long, value_parser = PossibleValuesParser::new(COLOR_SCHEMES))]
    color_scheme: Option<String>,
    /// What prefers-reduced-motion answers
    #[arg(long, value_parser = PossibleValuesParser::new(REDUCED_MOTIONS))]
    reduced_motion: Option<String>,
    /// Where it is: degrees, and metres of accuracy
    #[arg(long, value_name = "LATITUDE,LONGITUDE[,ACCURACY]", value_parser = geolocation, allow_hyphen_values = true)]
    geolocation: Option<Geolocation>,
    /// A header that goes with every request, to every site, so no secret; may be given again
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The user name for sites that ask for one by HTTP
    #[arg(long, value_name = "NAME", requires = "http_password")]
    http_user: Option<String>,
    /// The password for it: the name of a secret
    #[arg(long, value_name = "SECRET", requires = "http_user", value_parser = secret_name)]
    http_password: Option<String>,
    /// The only site that gets them; without it the one that a tab is taken to by its address
    #[arg(long, value_name = "ORIGIN", requires = "http_user")]
    http_origin: Option<String>,
    /// The proxy to go out through: http://, https:// or socks5://[USER@]HOST:PORT; `direct` for none
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// The password for it: the name of a secret
    #[arg(long, value_name = "SECRET", requires = "proxy", value_parser = secret_name)]
    proxy_password: Option<String>,
    /// A name that scripts may use for a secret, secret("NAME"); may be given again
    #[arg(long = "secret", value_name = "NAME=SECRET", value_parser = alias)]
    secrets: Vec<(String, String)>,
}

impl Told {
    /// All of it. [`SessionError::Identity`] says what does not go together.
    pub fn identity(self) -> Result<Identity, SessionError> {
        let secret = |secret: String| SecretRef { secret };
        let credentials =
            |(username, password)| HttpCredentials { origin: self.http_origin, username, password: secret(password) };
        let password = self.proxy_password.map(secret);
        let proxy = self.proxy.map(|server| IdentityProxy::named(&server, None, password)).transpose()?;
        let map = |pairs: Vec<(String, String)>| (!pairs.is_empty()).then(|| pairs.into_iter().collect());
        Ok(Identity {
            device: self.device,
            user_agent: self.user_agent,
            locale: self.locale,
            timezone: self.timezone,
            viewport: self.viewport,
            color_scheme: self.color_scheme,
            reduced_motion: self.reduced_motion,
            geolocation: self.geolocation,
            extra_http_headers: map(self.headers),
            http_credentials: self.http_user.zip(self.http_password).map(credentials),
            proxy,
            secrets: map(self.secrets),
            ..Identity::default()
        })
    }
}

fn header(text: &str) -> Result<(String, String), SessionError> {
    // What stands there is not told: it may be worth something.
    let wanted = || SessionError::Identity("a header such as \"X-Client: shop\" is wanted".to_owned());
    let (name, value) = text.split_once(':').ok_or_else(wanted)?;
    let header = (name.trim().to_owned(), value.trim().to_owned());
    identity::headers(&[header.clone()].into()).map(|()| header)
}

fn alias(text: &str) -> Result<(String, String), SessionError> {
    let wanted = || SessionError::Identity(format!("NAME=SECRET is wanted, found {text:?}"));
    let (name, secret) = text.split_once('=').ok_or_else(wanted)?;
    Ok((secret_name(name)?, secret_name(secret)?))
}

fn device(name: &str) -> Result<String, SessionError> {
    identity::device(name).map(|device| device.name.to_owned())
}

fn user_agent(text: &str) -> Result<String, SessionError> {
    identity::user_agent(text).map(|()| text.to_owned())
}

fn viewport(text: &str) -> Result<Viewport, SessionError> {
    let sides =
        text.split_once(['x', 'X']).and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let (width, height) =
        sides.ok_or_else(|| SessionError::Identity(format!("a size such as 1280x720 is wanted, found {text:?}")))?;
    identity::viewport(width, height)
}

fn geolocation(text: &str) -> Result<Geolocation, SessionError> {
    let numbers: Option<Vec<f64>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    let place = match numbers.as_deref() {
        Some([latitude, longitude]) => Geolocation { latitude: *latitude, longitude: *longitude, accuracy: 0.0 },
        Some([latitude, longitude, accuracy]) => {
            Geolocation { latitude: *latitude, longitude: *longitude, accuracy: *accuracy }
        }
        _ => return Err(SessionError::Identity(format!("a place such as 52.5,13.4 is wanted, found {text:?}"))),
    };
    identity::geolocation(&place).map(|()| place)
}
