/** The wire format: canonical encoders and total decoders. Knows deltas and frames, nothing of replicas. */
export { DeltaDecoder, decodeDelta } from './decode.ts'
export { type DecodedDelta, type NamedRow, namesByKey, type RowDirectory, type RowNames } from './delta.ts'
export { DeltaEncoder, encodeDelta } from './encode.ts'
export {
  type Claim,
  type DownlinkFrame,
  decodeDownlink,
  decodeUplink,
  errorCodes,
  FrameType,
  type Halves,
  type Head,
  type LentRow,
  nearestNumber,
  type StreamEntry,
  type UplinkFrame,
  wireVersion,
  writeAck,
  writeAuth,
  writeBatch,
  writeChange,
  writeEntry,
  writeError,
  writeFold,
  writeFork,
  writeHave,
  writeHello,
  writeLack,
  writeNeed,
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
export { Reader } from './reader.ts'
export { type Stamp, StampMark, stampMsMax } from './stamp.ts'
export { compareBytes, decodeUtf8, encodeUtf8 } from './utf8.ts'
export { Writer } from './writer.ts'
