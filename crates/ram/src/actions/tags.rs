//! Tags of roles and policies.

use std::collections::HashMap;

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Empty, List, Window, list, policies, read, roles, write};
use crate::errors::{TOO_MANY_TAGS, invalid};
use crate::tables::tag::{self, Tag, TagFilter};
use crate::tables::{Change, policy, role};
use crate::{check, ids};

/// How many tags a resource may have.
const TAGS_MAX: usize = 20;

/// How many resources, and how many tags, one request may name.
const NAMED_MAX: usize = 50;

/// A tag as requests give it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagParameter {
    key: String,
    value: Option<String>,
}

impl TagParameter {
    fn check(&self) -> Result<(), ApiError> {
        check::text("Tag.Key", &self.key, 128)?;
        check::length("Tag.Key", &self.key, 1, 128)?;
        check::text("Tag.Value", self.value.as_deref().unwrap_or_default(), 128)
    }
}

/// The tags to set on a resource.
pub(super) fn to_set(given: Vec<TagParameter>) -> Result<Vec<Tag>, ApiError> {
    check_count("Tag", given.len(), 0, TAGS_MAX)?;
    let set = |tag: TagParameter| {
        tag.check()?;
        let reserved = ["aliyun", "acs:"]
            .iter()
            .any(|prefix| tag.key.to_ascii_lowercase().starts_with(prefix));
        check::format("Tag.Key", !reserved)?;
        Ok(Tag { key: tag.key, value: tag.value.unwrap_or_default() })
    };
    given.into_iter().map(set).collect()
}

/// The tags that a list asks for.
pub(super) fn filter(given: Vec<TagParameter>) -> Result<Vec<TagFilter>, ApiError> {
    check_count("Tag", given.len(), 0, TAGS_MAX)?;
    given.iter().try_for_each(TagParameter::check)?;
    // An empty value asks for any, as a missing one does.
    let any = |value: &String| !value.is_empty();
    Ok(given
        .into_iter()
        .map(|tag| TagFilter { key: tag.key, value: tag.value.filter(any) })
        .collect())
}

fn check_count(
    parameter: &'static str,
    count: usize,
    least: usize,
    most: usize,
) -> Result<(), ApiError> {
    if (least..=most).contains(&count) {
        return Ok(());
    }
    let message = format!("There must be between {least} and {most} of {parameter}.");
    Err(invalid(parameter, message).suffix("Count"))
}

/// A tag as lists of resources show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagView {
    tag_key: String,
    tag_value: String,
}

/// The tags of a resource in a list.
pub(super) type TagList = List<TagView>;

/// The tags of a page of resources.
pub(super) struct TagsOf(HashMap<String, Vec<TagView>>);

impl TagsOf {
    /// Reads the tags of the resources of a page, whose names are in order.
    pub(super) fn page<'n>(
        cx: &mut Cx<'_>,
        kind: &str,
        names: impl DoubleEndedIterator<Item = &'n str>,
    ) -> Result<Self, ApiError> {
        let mut names = names;
        let Some(first) = names.next() else { return Ok(Self(HashMap::new())) };
        let last = names.next_back().unwrap_or(first);
        let account = cx.account();
        let mut tags: HashMap<String, Vec<TagView>> = HashMap::new();
        for (name, tag) in tag::between(cx.tx(), account, kind, first, last)? {
            tags.entry(name).or_default().push(TagView { tag_key: tag.key, tag_value: tag.value });
        }
        Ok(Self(tags))
    }

    /// The tags of one resource.
    pub(super) fn take(&mut self, name: &str) -> TagList {
        list("Tag", self.0.remove(name).unwrap_or_default())
    }
}

/// Reads `ResourceType`.
fn kind(resource_type: &str) -> Result<&'static str, ApiError> {
    match resource_type {
        "role" => Ok(tag::ROLE),
        "policy" => Ok(tag::POLICY),
        _ => Err(invalid("ResourceType", "The ResourceType must be role or policy.")),
    }
}

/// Checks names, asks for permission on each and makes sure that each is there.
fn authorize_all(cx: &mut Cx<'_>, kind: &str, names: &[String]) -> Result<(), ApiError> {
    check_count("ResourceNames", names.len(), 1, NAMED_MAX)?;
    let account = cx.account();
    for name in names {
        check::name("ResourceNames", name, 128)?;
        cx.authorize(&ids::arn(account, kind, name))?;
    }
    for name in names {
        let there = match kind {
            tag::ROLE => role::find(cx.tx(), account, name)?.is_some(),
            _ => policy::find(cx.tx(), account, name)?.is_some(),
        };
        if !there {
            return Err(if kind == tag::ROLE {
                roles::no_role(name)
            } else {
                policies::no_policy(name)
            });
        }
    }
    cx.audit_detail("ResourceNames", names.join(","));
    Ok(())
}

/// Sets tags on resources.
pub(super) struct TagResources;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagResourcesRequest {
    resource_type: String,
    resource_names: Vec<String>,
    tag: Vec<TagParameter>,
}

impl Action for TagResources {
    const META: Meta = write("TagResources");
    type Request = TagResourcesRequest;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: TagResourcesRequest) -> Result<Empty, ApiError> {
        let kind = kind(&request.resource_type)?;
        check_count("Tag", request.tag.len(), 1, TAGS_MAX)?;
        let tags = to_set(request.tag)?;
        authorize_all(cx, kind, &request.resource_names)?;
        let account = cx.account();
        let mut change = Change::of(cx);
        for name in &request.resource_names {
            for tag in &tags {
                tag::set(&mut change, account, kind, name, tag)?;
            }
            if tag::count_of(change.tx(), account, kind, name)? > TAGS_MAX {
                return Err(TOO_MANY_TAGS.into());
            }
        }
        Ok(Empty {})
    }
}

/// Removes tags by key, or all of them, from resources.
pub(super) struct UntagResources;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagResourcesRequest {
    resource_type: String,
    resource_names: Vec<String>,
    #[serde(default)]
    tag_keys: Vec<String>,
    #[serde(default)]
    all: bool,
}

impl Action for UntagResources {
    const META: Meta = write("UntagResources");
    type Request = UntagResourcesRequest;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: UntagResourcesRequest) -> Result<Empty, ApiError> {
        let kind = kind(&request.resource_type)?;
        // As the API has it, keys outweigh All.
        let all = request.all && request.tag_keys.is_empty();
        check_count("TagKeys", request.tag_keys.len(), usize::from(!all), TAGS_MAX)?;
        request.tag_keys.iter().try_for_each(|key| check::text("TagKeys", key, 128))?;
        authorize_all(cx, kind, &request.resource_names)?;
        let account = cx.account();
        let mut change = Change::of(cx);
        for name in &request.resource_names {
            if all {
                tag::delete_all(&mut change, account, kind, name)?;
            }
            for key in &request.tag_keys {
                tag::delete(&mut change, account, kind, name, key)?;
            }
        }
        Ok(Empty {})
    }
}

/// Lists tags by resource and key.
pub(super) struct ListTagResources;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTagResourcesRequest {
    resource_type: String,
    #[serde(default)]
    resource_names: Vec<String>,
    #[serde(default)]
    tag: Vec<TagParameter>,
    next_token: Option<String>,
    page_size: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tagged {
    resource_type: &'static str,
    resource_name: String,
    tag_key: String,
    tag_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTagResourcesResponse {
    tag_resources: Vec<Tagged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Action for ListTagResources {
    const META: Meta = read("ListTagResources");
    type Request = ListTagResourcesRequest;
    type Response = ListTagResourcesResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: ListTagResourcesRequest,
    ) -> Result<ListTagResourcesResponse, ApiError> {
        let kind = kind(&request.resource_type)?;
        let window = Window::named(
            "NextToken",
            request.next_token.as_deref(),
            "PageSize",
            request.page_size,
        )?;
        check_count("ResourceNames", request.resource_names.len(), 0, NAMED_MAX)?;
        request
            .resource_names
            .iter()
            .try_for_each(|name| check::name("ResourceNames", name, 128))?;
        let filter = filter(request.tag)?;
        let account = cx.account();
        cx.authorize(&ids::arn(account, kind, "*"))?;
        // Names have no slash, keys may have one.
        let after = window.after.split_once('/').unwrap_or_default();
        let rows = tag::list(
            cx.tx(),
            account,
            kind,
            &request.resource_names,
            &filter,
            after,
            window.fetch(),
        )?;
        let page = window.cut(rows, |(name, tag)| format!("{name}/{}", tag.key));
        let view = |(resource_name, tag): (String, Tag)| Tagged {
            resource_type: kind,
            resource_name,
            tag_key: tag.key,
            tag_value: tag.value,
        };
        Ok(ListTagResourcesResponse {
            tag_resources: page.rows.into_iter().map(view).collect(),
            next_token: page.next,
        })
    }
}
