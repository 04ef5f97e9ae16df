//! `BASE_BACKUP`, in the form of 15 and later and in that of 14, as one stream of parts.

use std::io::Write as _;

use bytes::Bytes;
use lz4_flex::frame::FrameEncoder;
use postgres_protocol::message::backend::Message;

use super::message::{self, Sent};
use super::{Connection, Error, copied, texts};
use crate::backup::wal::Lsn;

/// A piece of a base backup.
#[derive(Debug)]
pub enum Part {
    /// Of the tar, as LZ4 frames.
    Tar(Bytes),
    /// Of the manifest, which comes after the tar.
    Manifest(Bytes),
}

/// What is known of a base backup at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseEnd {
    /// Its timeline.
    pub timeline: u32,
    /// From where the log is replayed.
    pub start: Lsn,
    /// Up to where it must be.
    pub end: Lsn,
}

/// A base backup under way. It holds the log that it needs to be consistent, and so is whole by itself.
pub struct BaseBackup {
    connection: Connection,
    start: (Lsn, u32),
    end: Option<Lsn>,
    in_manifest: bool,
    archives: u32,
    /// Where the server does not compress.
    packer: Option<FrameEncoder<Vec<u8>>>,
}

impl BaseBackup {
    /// Begins one. The server makes a checkpoint first, at once.
    ///
    /// # Errors
    /// Those of the talk.
    pub async fn begin(mut connection: Connection) -> Result<Self, Error> {
        let at_server = connection.major >= 15;
        let command = if at_server {
            "BASE_BACKUP (LABEL 'awan', CHECKPOINT 'fast', WAL, WAIT 'false', MANIFEST 'yes', \
             MANIFEST_CHECKSUMS 'SHA256', COMPRESSION 'lz4')"
        } else {
            "BASE_BACKUP LABEL 'awan' FAST WAL NOWAIT MANIFEST 'yes' MANIFEST_CHECKSUMS 'SHA256'"
        };
        connection.ask(command).await?;
        let start = position(&mut connection).await?;
        let packer = (!at_server).then(|| FrameEncoder::new(Vec::new()));
        Ok(Self { connection, start, end: None, in_manifest: false, archives: 0, packer })
    }

    /// The server's version.
    pub fn version(&self) -> &str {
        self.connection.version()
    }

    /// The next piece; `None` when everything was sent.
    ///
    /// # Errors
    /// Those of the talk; `Unfit` where the server has tablespaces.
    pub async fn next(&mut self) -> Result<Option<Part>, Error> {
        while self.end.is_none() {
            let part = match self.connection.hear_message().await? {
                Message::CopyOutResponse(_) => {
                    self.opened();
                    None
                }
                Message::CopyDone if self.packer.is_some() && !self.in_manifest => self.packed(),
                Message::DataRow(row) if self.archives > 0 => {
                    self.end = Some(lsn_of(&texts(&row)?)?);
                    None
                }
                // The tablespaces, of which the data directory has no name.
                Message::DataRow(row) if texts(&row)?.first().is_some_and(Option::is_some) => {
                    return Err(tablespaces());
                }
                data @ Message::CopyData(_) => self.data(copied(data).unwrap_or_default())?,
                _ => None,
            };
            if part.is_some() {
                return Ok(part);
            }
        }
        Ok(None)
    }

    /// Another copy begins: in 14 the tar, and then the manifest.
    fn opened(&mut self) {
        self.archives += 1;
        self.in_manifest = self.packer.is_some() && self.archives > 1;
    }

    fn data(&mut self, body: Bytes) -> Result<Option<Part>, Error> {
        let bytes = match &mut self.packer {
            Some(packer) if !self.in_manifest => {
                packer.write_all(&body)?;
                let packed = std::mem::take(packer.get_mut());
                return Ok((!packed.is_empty()).then(|| Part::Tar(packed.into())));
            }
            Some(_) => body,
            None => match message::sent(body)? {
                Sent::Archive(path) if !path.is_empty() => {
                    return Err(tablespaces());
                }
                Sent::Archive(_) | Sent::Progress => return Ok(None),
                Sent::Manifest => {
                    self.in_manifest = true;
                    return Ok(None);
                }
                Sent::Data(bytes) => bytes,
            },
        };
        Ok(Some(if self.in_manifest { Part::Manifest(bytes) } else { Part::Tar(bytes) }))
    }

    /// What the compression still holds, at the end of the tar.
    fn packed(&mut self) -> Option<Part> {
        let packer = self.packer.as_mut()?;
        packer.try_finish().ok()?;
        let packed = std::mem::take(packer.get_mut());
        (!packed.is_empty()).then(|| Part::Tar(packed.into()))
    }

    /// What is known of it, after its last piece.
    ///
    /// # Errors
    /// `Malformed` before that.
    pub async fn finish(self) -> Result<BaseEnd, Error> {
        let end = self.end.ok_or(Error::Malformed("a base backup without an end"))?;
        self.connection.close().await;
        let (start, timeline) = self.start;
        Ok(BaseEnd { timeline, start, end })
    }
}

/// The first result: where the backup begins.
async fn position(connection: &mut Connection) -> Result<(Lsn, u32), Error> {
    // The checkpoint comes before it, which takes as long as it takes.
    let mut patience = 20;
    loop {
        match connection.hear_message().await {
            Ok(Message::DataRow(row)) => {
                let row = texts(&row)?;
                let timeline = row.get(1).and_then(Option::as_deref);
                let timeline = timeline.and_then(|text| text.parse().ok());
                let malformed = || Error::Malformed("where a base backup begins");
                return Ok((lsn_of(&row)?, timeline.ok_or_else(malformed)?));
            }
            Ok(_) => {}
            Err(Error::Silent) if patience > 0 => patience -= 1,
            Err(error) => return Err(error),
        }
    }
}

fn tablespaces() -> Error {
    Error::Unfit("tablespaces are not supported".to_owned())
}

fn lsn_of(row: &[Option<String>]) -> Result<Lsn, Error> {
    let text = row.first().and_then(Option::as_deref);
    text.and_then(Lsn::parse).ok_or(Error::Malformed("a position of a base backup"))
}
