//! Styles of images (OSS).

use base::Time;
use http::StatusCode;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::xml::{self, Writer};

use super::call::{Call, Payload};
use super::respond::{self, empty};
use super::{Answer, Storage};
use crate::ops::{Style, StyleView};

impl Storage {
    pub(super) async fn style(&self, call: &Call<'_>) -> Answer {
        let view = StyleView::One(call.text("styleName").to_owned());
        let styles = self.oss.styles(&call.ctx, &call.bucket, view).await?;
        let mut xml = Writer::new();
        for (name, style) in &styles {
            tell(&mut xml, name, style);
        }
        Ok(respond::xml(xml.finish()))
    }

    pub(super) async fn styles(&self, call: &Call<'_>) -> Answer {
        let styles = self.oss.styles(&call.ctx, &call.bucket, StyleView::All).await?;
        let mut xml = Writer::new();
        xml.open("StyleList");
        for (name, style) in &styles {
            tell(&mut xml, name, style);
            xml.close();
        }
        Ok(respond::xml(xml.finish()))
    }

    pub(super) async fn put_style(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let body = call.read(payload, SMALL_BYTES_MAX).await?;
        let element = xml::read(&body, "Style", SMALL_BYTES_MAX)?;
        let content = element.text_of("Content").unwrap_or_default();
        let category = Some(call.text("category")).filter(|word| !word.is_empty());
        let said = (content, category.unwrap_or("image"));
        self.oss.put_style(&call.ctx, &call.bucket, call.text("styleName"), said).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn delete_style(&self, call: &Call<'_>) -> Answer {
        self.oss.delete_style(&call.ctx, &call.bucket, call.text("styleName")).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }
}

/// A style, its element left open.
fn tell(xml: &mut Writer, name: &str, style: &Style) {
    let moment = |secs: i64| Time::from_secs(secs).http();
    xml.open("Style").text("Name", name).text("Content", &style.content);
    xml.text("Category", &style.category);
    xml.text("CreateTime", &moment(style.created)).text("LastModifyTime", &moment(style.modified));
}
