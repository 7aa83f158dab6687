//! An event on its way to one subscriber, and how it is encoded.

use std::sync::Arc;

use api::benchmark::StreamRequest;
use tonic::Status;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic_prost::ProstDecoder;

use crate::clock::now_us;
use crate::event::Event;

/// An event on its way to one subscriber.
pub(super) struct Outgoing(pub(super) Arc<Event>);

/// Decodes requests, encodes events.
pub(super) struct EventCodec;

impl Codec for EventCodec {
    type Encode = Outgoing;
    type Decode = StreamRequest;
    type Encoder = EventEncoder;
    type Decoder = ProstDecoder<StreamRequest>;

    fn encoder(&mut self) -> EventEncoder {
        EventEncoder
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::default()
    }
}

/// Writes the message with the time of sending.
pub(super) struct EventEncoder;

impl Encoder for EventEncoder {
    type Item = Outgoing;
    type Error = Status;

    fn encode(&mut self, item: Outgoing, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.0.write_grpc(now_us(), buffer);
        Ok(())
    }
}
