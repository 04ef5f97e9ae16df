//! `awan call PRODUCT Action --Param value …`: any action of any product, without code per action.
//! Parameters are written as on the wire; names start with a capital, this program's own flags do not.

use anyhow::{Context, Result};
use clap::{Args, Parser};
use serde_json::Value;

use crate::api::{self, Api};
use crate::error::advise;
use crate::http::Http;
use crate::output::{self, Format};
use crate::profile::{PlaceArgs, Profile};

/// Products and their API versions. Products share versions with none but themselves here, so a
/// version is all that the wire needs.
const VERSIONS: &[(&str, &str)] = &[
    ("awan", api::AWAN),
    ("ram", api::RAM),
    ("sts", api::STS),
    ("ecs", "2014-05-26"),
    ("vpc", "2016-04-28"),
    ("rds", "2014-08-15"),
    ("ess", "2014-08-28"),
    ("slb", "2014-05-15"),
    ("alb", "2020-06-16"),
    ("cdn", "2018-05-10"),
    ("ddoscoo", "2020-01-01"),
    ("bssopenapi", "2017-12-14"),
    ("tag", "2018-08-28"),
    ("kms", "2016-01-20"),
    ("location", "2015-06-12"),
    ("resourcemanager", "2020-03-31"),
    ("ims", "2019-08-15"),
];

/// Arguments of `awan call`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  awan call sts GetCallerIdentity --data-dir ./cloud\n  \
    awan call ram CreateUser --UserName petugas\n  \
    awan call ecs RunInstances --ImageId img-1 --Tag.1.Key env --Tag.1.Value test\n  \
    awan call rds ResetAccountPassword --DBInstanceId pg-1 --AccountName app --hidden AccountPassword\n\n\
    A value that starts with two dashes is written as --Name=--value.")]
pub struct CallArgs {
    #[command(flatten)]
    options: CallOptions,
    /// Product, action, and --Name value for each parameter
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, allow_hyphen_values = true,
          value_names = ["PRODUCT", "ACTION", "--Name value"])]
    words: Vec<String>,
}

/// The flags of `awan call`, before or after the action.
#[derive(Clone, Debug, Default, Args)]
struct CallOptions {
    /// API version, where the product's usual one is not meant
    #[arg(long, value_name = "DATE")]
    version: Option<String>,
    /// How the answer is written; `table` shows the listing in it
    #[arg(long, value_enum, value_name = "FORM")]
    output: Option<Format>,
    /// A parameter whose value is asked for, or read from standard input, and shown nowhere: a command line is
    /// seen by others on the machine
    #[arg(long, value_name = "PARAMETER")]
    hidden: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// What is left when the parameters are taken out: the second reading of the words.
#[derive(Debug, Parser)]
#[command(name = "awan call", disable_help_flag = true, disable_version_flag = true)]
struct Rest {
    product: String,
    action: String,
    #[command(flatten)]
    options: CallOptions,
}

/// A call as it will be sent.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    version: String,
    action: String,
    params: Vec<(String, String)>,
}

/// Calls the action and shows its answer.
///
/// # Errors
/// Where the words do not make a call, or the call fails.
pub fn run(args: CallArgs) -> Result<()> {
    let (call, options) = read(args.words, args.options)?;
    let profile = Profile::resolve(&options.place)?;
    let api = Api::new(&Http::new(&profile, 1)?, &profile)?;
    let asked = |name: &String| output::ask_hidden(name).context("read the hidden parameter");
    let hidden = options.hidden.as_ref().map(asked).transpose()?;
    let mut params: Vec<(&str, &str)> =
        call.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if let (Some(name), Some(value)) = (&options.hidden, &hidden) {
        params.push((name, value.expose()));
    }
    let answer = api.call(&call.version, &call.action, &params)?;
    show(options.output.unwrap_or(Format::Json), &answer)
}

fn show(format: Format, answer: &Value) -> Result<()> {
    let items = api::items(answer);
    let fields: Vec<&str> = match items.first() {
        Some(Value::Object(first)) => first.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    if format == Format::Json || fields.is_empty() {
        output::json(answer)?;
    } else {
        output::listing(format, &fields, items)?;
    }
    Ok(())
}

fn read(words: Vec<String>, before: CallOptions) -> Result<(Call, CallOptions)> {
    let (params, rest) = split(words)?;
    let rest = Rest::try_parse_from(std::iter::once("awan call".to_owned()).chain(rest)).map_err(
        |error| {
            let text = error.to_string();
            let reason =
                text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            advise(
                reason,
                "awan call PRODUCT Action --Name value …; parameters start with a capital letter",
            )
        },
    )?;
    let options = CallOptions {
        version: rest.options.version.or(before.version),
        output: rest.options.output.or(before.output),
        hidden: rest.options.hidden.or(before.hidden),
        place: rest.options.place.or(before.place),
    };
    let version = match &options.version {
        Some(version) => version.clone(),
        None => version_of(&rest.product)?.to_owned(),
    };
    if let Some(name) = &options.hidden
        && params.iter().any(|(known, _)| known == name)
    {
        return Err(advise(
            format!("the parameter {name} is given and hidden"),
            format!("leave --{name} away: its value is asked for"),
        ));
    }
    Ok((Call { version, action: rest.action, params }, options))
}

fn version_of(product: &str) -> Result<&'static str> {
    let product = product.to_ascii_lowercase();
    let found = VERSIONS.iter().find(|(name, _)| *name == product);
    found.map(|(_, version)| *version).ok_or_else(|| {
        let known: Vec<&str> = VERSIONS.iter().map(|(name, _)| *name).collect();
        advise(
            format!(
                "\"{product}\" is not a product that this program knows (known: {})",
                known.join(", ")
            ),
            "--version DATE calls an action of any product",
        )
    })
}

type Pairs = Vec<(String, String)>;

/// Takes `--Name value` and `--Name=value` out of the words; the others stay in their order.
fn split(words: Vec<String>) -> Result<(Pairs, Vec<String>)> {
    let (mut params, mut rest) = (Pairs::new(), Vec::new());
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let Some(flag) = word
            .strip_prefix("--")
            .filter(|flag| flag.starts_with(|c: char| c.is_ascii_uppercase()))
        else {
            rest.push(word);
            continue;
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => {
                let value = words.next_if(|next| !next.starts_with("--")).ok_or_else(|| {
                    advise(
                        format!("the parameter {flag} has no value"),
                        format!("--{flag} VALUE, or --{flag}= for an empty one"),
                    )
                })?;
                (flag.to_owned(), value)
            }
        };
        if params.iter().any(|(known, _)| *known == name) {
            return Err(advise(
                format!("the parameter {name} is given twice"),
                format!("elements of a list are numbered: --{name}.1 A --{name}.2 B"),
            ));
        }
        params.push((name, value));
    }
    Ok((params, rest))
}

#[cfg(test)]
mod tests;
