//! Location 2015-06-12 `DescribeEndpoints`: tells SDKs and Terraform where a service answers, so that
//! one configured endpoint is enough.

use base::{ApiError, code};
use serde::{Deserialize, Serialize};

use crate::{Action, Cx, Meta};

pub struct DescribeEndpoints;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    id: String,
    service_code: String,
    #[serde(rename = "Type", default = "open_api")]
    kind: String,
}

fn open_api() -> String {
    "openAPI".to_owned()
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    success: bool,
    endpoints: Endpoints,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoints {
    endpoint: Vec<Endpoint>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    endpoint: String,
    id: String,
    namespace: String,
    /// Misspelt in the real API, and read so by clients.
    #[serde(rename = "SerivceCode")]
    service_code: String,
    #[serde(rename = "Type")]
    kind: String,
    protocols: Protocols,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Protocols {
    protocols: [&'static str; 2],
}

/// Products whose code here is not the one in their permissions.
const ALIASES: [(&str, &str); 2] = [("maxcompute", "odps"), ("bssopenapi", "bss")];

impl Action for DescribeEndpoints {
    const META: Meta = Meta::read("location", "2015-06-12", "DescribeEndpoints").public();
    type Request = Request;
    type Response = Response;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Response, ApiError> {
        if request.id != cx.cloud.region.id {
            let message = format!("This cloud has the region {} only.", cx.cloud.region.id);
            return Err(ApiError::new(&code::INVALID_PARAMETER).suffix("Id").message(message));
        }
        let asked = request.service_code.to_ascii_lowercase();
        let wanted = ALIASES
            .iter()
            .find(|(_, alias)| *alias == asked)
            .map_or(asked.as_str(), |(name, _)| name);
        let endpoints = cx.cloud.endpoints.get().cloned().unwrap_or_default();
        let address = match wanted {
            "oss" => Some(endpoints.oss),
            product if cx.cloud.registry.products().contains(&product) => Some(endpoints.api),
            _ => None,
        };
        let endpoint = address.into_iter().map(|endpoint| Endpoint {
            endpoint,
            id: request.id.clone(),
            namespace: String::new(),
            service_code: request.service_code.clone(),
            kind: request.kind.clone(),
            protocols: Protocols { protocols: ["HTTP", "HTTPS"] },
        });
        Ok(Response { success: true, endpoints: Endpoints { endpoint: endpoint.collect() } })
    }
}
