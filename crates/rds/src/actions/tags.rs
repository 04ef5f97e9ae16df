//! Tags of instances, in the three ways that this API has grown for them. The tag that said the class of the data when
//! an instance was made stays what it was: data are where they are because of it.

use std::collections::BTreeMap;

use base::ApiError;
use engine::page::Page;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::create::CLASS_TAG;
use super::{Done, arn, owned, read, write};
use crate::errors::INSTANCE_STATUS;
use crate::model::Status;
use crate::requests::forms::{List, invalid, list, one_of};
use crate::tables::tag::{self, Tag};

/// Tags of one instance, at most.
const TAGS_MAX: usize = 20;
/// Instances that one request may name.
const RESOURCES_MAX: usize = 50;
/// Characters of a key, and of a value, at most.
const CHARACTERS_MAX: usize = 128;

/// A tag as requests send it. Older actions write the names small.
#[derive(Clone, Deserialize)]
pub(super) struct Pair {
    #[serde(rename = "Key", alias = "key")]
    key: String,
    #[serde(rename = "Value", alias = "value", default)]
    value: String,
}

/// Tags that an instance may have, by their keys.
pub(super) fn checked<'p>(
    pairs: impl Iterator<Item = &'p Pair>,
) -> Result<Vec<(String, String)>, ApiError> {
    let mut tags: Vec<(String, String)> = Vec::new();
    for Pair { key, value } in pairs {
        let reserved = ["aliyun", "acs:", "http://", "https://"];
        let plain = |text: &str| {
            text.chars().count() <= CHARACTERS_MAX && !text.chars().any(char::is_control)
        };
        if key.is_empty() || !plain(key) || reserved.iter().any(|start| key.starts_with(start)) {
            return Err(invalid(
                "Tag",
                format!(
                    "A key has 1 to {CHARACTERS_MAX} characters and does not begin with aliyun, acs: or a URL's scheme."
                ),
            ));
        }
        if !plain(value) {
            return Err(invalid(
                "Tag",
                format!("A value has at most {CHARACTERS_MAX} characters."),
            ));
        }
        if tags.iter().any(|(other, _)| other == key) {
            return Err(invalid("Tag", "A key may stand once in a request."));
        }
        tags.push((key.clone(), value.clone()));
    }
    if tags.len() > TAGS_MAX {
        return Err(too_many());
    }
    Ok(tags)
}

fn too_many() -> ApiError {
    invalid("Tag", format!("An instance has at most {TAGS_MAX} tags."))
}

/// Tags that are sent as one JSON text, `{"key":"value"}`; a value that is null or empty is any value.
pub(super) fn sent_as_json(
    name: &str,
    text: &str,
) -> Result<Vec<(String, Option<String>)>, ApiError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let bad = || invalid(name, format!("The specified {name} must be a JSON object of texts."));
    let sent: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|_| bad())?;
    let pair = |(key, value)| match value {
        Value::Null => Ok((key, None)),
        Value::String(value) => Ok((key, Some(value).filter(|value| !value.is_empty()))),
        _ => Err(bad()),
    };
    sent.into_iter().map(pair).collect()
}

/// The instances that are named: all of them must be the caller's.
fn resources(cx: &mut Cx<'_>, ids: &[String]) -> Result<(), ApiError> {
    if ids.is_empty() || ids.len() > RESOURCES_MAX {
        let message = format!("A request names 1 to {RESOURCES_MAX} instances.");
        return Err(invalid("ResourceId", message));
    }
    for id in ids {
        if owned(cx, id)?.status == Status::Deleting {
            return Err(INSTANCE_STATUS.into());
        }
    }
    cx.audit_detail("ResourceId", ids.join(" "));
    Ok(())
}

fn kind(resource_type: &str) -> Result<(), ApiError> {
    one_of("ResourceType", resource_type, &["INSTANCE"]).map(drop)
}

fn add(cx: &mut Cx<'_>, ids: &[String], tags: &[(String, String)]) -> Result<(), ApiError> {
    resources(cx, ids)?;
    if tags.is_empty() {
        return Err(invalid("Tag", "A request names at least one tag."));
    }
    refuse_class(tags.iter().map(|(key, _)| key))?;
    for id in ids {
        let present = tag::of(cx.tx(), id)?;
        let new = tags.iter().filter(|(key, _)| !present.iter().any(|tag| tag.key == *key));
        if present.len() + new.count() > TAGS_MAX {
            return Err(too_many());
        }
        for (key, value) in tags {
            let new = Tag { instance: id.clone(), key: key.clone(), value: value.clone() };
            tag::put(cx.tx(), &new)?;
        }
    }
    let given: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    cx.audit_detail("Tag", given.join(" "));
    Ok(())
}

/// Refuses a change of the tag that said the class of the data.
fn refuse_class<'k>(mut keys: impl Iterator<Item = &'k String>) -> Result<(), ApiError> {
    if keys.any(|key| key == CLASS_TAG) {
        let message = format!("The tag {CLASS_TAG} is given when an instance is made, and stays.");
        return Err(invalid("Tag", message));
    }
    Ok(())
}

/// Gives tags to instances.
pub(super) struct TagResources;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagRequest {
    resource_type: String,
    resource_id: Vec<String>,
    tag: Vec<Pair>,
}

impl Action for TagResources {
    const META: Meta = write("TagResources");
    type Request = TagRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: TagRequest) -> Result<Done, ApiError> {
        kind(&request.resource_type)?;
        let tags = checked(request.tag.iter())?;
        add(cx, &request.resource_id, &tags)?;
        Ok(Done {})
    }
}

/// Takes tags from instances.
pub(super) struct UntagResources;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagRequest {
    resource_type: String,
    resource_id: Vec<String>,
    #[serde(default)]
    tag_key: Vec<String>,
    #[serde(default)]
    all: bool,
}

impl Action for UntagResources {
    const META: Meta = write("UntagResources");
    type Request = UntagRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: UntagRequest) -> Result<Done, ApiError> {
        kind(&request.resource_type)?;
        resources(cx, &request.resource_id)?;
        let every = request.all && request.tag_key.is_empty();
        if !every && request.tag_key.is_empty() {
            return Err(invalid("TagKey", "A request names at least one key, or says All."));
        }
        refuse_class(request.tag_key.iter())?;
        for id in &request.resource_id {
            for present in tag::of(cx.tx(), id)? {
                let named = request.tag_key.contains(&present.key);
                if named || every && present.key != CLASS_TAG {
                    tag::remove(cx.tx(), id, &present.key)?;
                }
            }
        }
        cx.audit_detail("TagKey", request.tag_key.join(" "));
        Ok(Done {})
    }
}

/// Lists tags, instance by instance.
pub(super) struct ListTagResources;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRequest {
    resource_type: String,
    #[serde(default)]
    resource_id: Vec<String>,
    #[serde(default)]
    tag: Vec<Pair>,
    #[serde(flatten)]
    page: engine::page::ByToken,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListResponse {
    next_token: String,
    tag_resources: List<View>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct View {
    resource_id: String,
    resource_type: &'static str,
    tag_key: String,
    tag_value: String,
}

impl Action for ListTagResources {
    const META: Meta = read("ListTagResources");
    type Request = ListRequest;
    type Response = ListResponse;

    fn run(cx: &mut Cx<'_>, request: ListRequest) -> Result<ListResponse, ApiError> {
        kind(&request.resource_type)?;
        let account = cx.account();
        let arn = arn(cx, account, "*");
        cx.authorize(&arn)?;
        let all = tag::of_account(cx.tx(), account)?;
        let has = |instance: &str, pair: &Pair| {
            all.iter().any(|tag| {
                tag.instance == instance
                    && tag.key == pair.key
                    && (pair.value.is_empty() || tag.value == pair.value)
            })
        };
        let named =
            |id: &String| request.resource_id.is_empty() || request.resource_id.contains(id);
        let size = request.page.limit(50, 100)?;
        let after = request.page.after()?.unwrap_or_default();
        let place = |tag: &Tag| format!("{} {}", tag.instance, tag.key);
        let rows = all.iter().filter(|tag| {
            named(&tag.instance)
                && request.tag.iter().all(|pair| has(&tag.instance, pair))
                && place(tag) > after
        });
        let page = Page::cut(rows.take(size + 1).cloned().collect(), size, place);
        let views = page.rows.into_iter().map(|tag| View {
            resource_id: tag.instance,
            resource_type: "INSTANCE",
            tag_key: tag.key,
            tag_value: tag.value,
        });
        Ok(ListResponse {
            tag_resources: list("TagResource", views),
            next_token: page.next.unwrap_or_default(),
        })
    }
}

/// Lists tags, each with the instances that have it.
pub(super) struct DescribeTags;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DescribeRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    tags: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeResponse {
    items: List<TagInfo>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagInfo {
    tag_key: String,
    tag_value: String,
    #[serde(rename = "DBInstanceIds")]
    instances: List<String>,
}

impl Action for DescribeTags {
    const META: Meta = read("DescribeTags");
    type Request = DescribeRequest;
    type Response = DescribeResponse;

    fn run(cx: &mut Cx<'_>, request: DescribeRequest) -> Result<DescribeResponse, ApiError> {
        let wanted = sent_as_json("Tags", &request.tags)?;
        let tags = if request.id.is_empty() {
            let account = cx.account();
            let arn = arn(cx, account, "*");
            cx.authorize(&arn)?;
            tag::of_account(cx.tx(), account)?
        } else {
            owned(cx, &request.id)?;
            tag::of(cx.tx(), &request.id)?
        };
        let fits = |tag: &Tag| {
            wanted.is_empty()
                || wanted.iter().any(|(key, value)| {
                    tag.key == *key && value.as_ref().is_none_or(|value| tag.value == *value)
                })
        };
        let mut by_tag: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for tag in tags.into_iter().filter(fits) {
            by_tag.entry((tag.key, tag.value)).or_default().push(tag.instance);
        }
        let infos = by_tag.into_iter().map(|((tag_key, tag_value), ids)| TagInfo {
            tag_key,
            tag_value,
            instances: list("DBInstanceIds", ids),
        });
        Ok(DescribeResponse { items: list("TagInfos", infos) })
    }
}

/// What the older actions send: an instance (or several, a comma between them), and tags in one of two forms.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OldRequest {
    #[serde(rename = "DBInstanceId")]
    ids: String,
    #[serde(default)]
    tags: String,
    #[serde(default)]
    tag: Vec<Pair>,
}

impl OldRequest {
    fn ids(&self) -> Vec<String> {
        self.ids.split(',').map(|id| id.trim().to_owned()).collect()
    }

    fn pairs(&self) -> Result<Vec<Pair>, ApiError> {
        let json = sent_as_json("Tags", &self.tags)?;
        let json =
            json.into_iter().map(|(key, value)| Pair { key, value: value.unwrap_or_default() });
        Ok(self.tag.iter().cloned().chain(json).collect())
    }
}

/// As [`TagResources`], in the older form.
pub(super) struct AddTagsToResource;

impl Action for AddTagsToResource {
    const META: Meta = write("AddTagsToResource").replay_by("ClientToken");
    type Request = OldRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: OldRequest) -> Result<Done, ApiError> {
        let tags = checked(request.pairs()?.iter())?;
        add(cx, &request.ids(), &tags)?;
        Ok(Done {})
    }
}

/// Takes tags from instances, in the older form: of a tag with a value only where it has that value.
pub(super) struct RemoveTagsFromResource;

impl Action for RemoveTagsFromResource {
    const META: Meta = write("RemoveTagsFromResource").replay_by("ClientToken");
    type Request = OldRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: OldRequest) -> Result<Done, ApiError> {
        let tags = checked(request.pairs()?.iter())?;
        let ids = request.ids();
        resources(cx, &ids)?;
        refuse_class(tags.iter().map(|(key, _)| key))?;
        for id in &ids {
            for present in tag::of(cx.tx(), id)? {
                let named = tags.iter().any(|(key, value)| {
                    present.key == *key && (value.is_empty() || present.value == *value)
                });
                if named {
                    tag::remove(cx.tx(), id, &present.key)?;
                }
            }
        }
        let keys: Vec<_> = tags.into_iter().map(|(key, _)| key).collect();
        cx.audit_detail("TagKey", keys.join(" "));
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tags_of_a_json_text_are_what_was_put_in(sent: BTreeMap<String, String>) {
            let text = serde_json::to_string(&sent).unwrap();
            let read = sent_as_json("Tags", &text).unwrap();
            let values = |value: &String| Some(value.clone()).filter(|value| !value.is_empty());
            let expected: Vec<_> =
                sent.iter().map(|(key, value)| (key.clone(), values(value))).collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            drop(sent_as_json("Tags", &text));
        }
    }
}
