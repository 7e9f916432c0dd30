/** The wire format: canonical encoders and total decoders. Knows deltas and frames, nothing of replicas. */
export { DeltaDecoder, decodeDelta } from './decode.ts'
export { type DecodedDelta, type NamedRow, namesByKey, type RowDirectory, type RowNames } from './delta.ts'
export { DeltaEncoder, encodeDelta, writePoint } from './encode.ts'
export {
  beginChange,
  beginEntry,
  beginStream,
  type Claim,
  changeBits,
  type DownlinkFrame,
  decodeDownlink,
  decodeUplink,
  type EntriesFrame,
  FrameType,
  type Halves,
  type Head,
  isChange,
  type LentRow,
  nearestNumber,
  type ScannedFrame,
  type StreamEntry,
  scanDownlink,
  type UplinkFrame,
  wireVersion,
  writeAck,
  writeAuth,
  writeBatch,
  writeChange,
  writeDeltaHead,
  writeEntry,
  writeError,
  writeFold,
  writeFork,
  writeHave,
  writeHello,
  writeLack,
  writeNeed,
  writeNothing,
  writeOwn,
  writeResend,
  writeRows,
  writeStream,
  writeSubscribe,
  writeWelcome,
} from './frames.ts'
export {
  decodeMesh,
  type MeshBound,
  type MeshEntry,
  type MeshFrame,
  type MeshSegment,
  type MeshSummary,
  meshBuckets,
  meshVersion,
  writeMesh,
} from './mesh.ts'
export { PointReader, pointWordsMax } from './point.ts'
export { errorCodes, errorNumber, Reader } from './reader.ts'
export { type Stamp, StampMark, stampMsMax } from './stamp.ts'
export { StreamCursor } from './stream.ts'
export { compareBytes, decodeUtf8, encodeUtf8 } from './utf8.ts'
export { Writer } from './writer.ts'
