/**
 * @atomik/device: the kernel module's tables under the library's names, and `atomik waste`.
 *
 * Needs nothing to import: the native library is loaded when a device is opened.
 */
export { DeviceError } from './abi.ts'
export { type DeviceLane, DeviceTable, type DeviceTableOptions, deviceAvailable } from './table.ts'
export { type WasteIo, type WastePaths, waste } from './waste.ts'
