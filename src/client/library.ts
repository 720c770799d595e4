// What the package gives to programs that use a gateway. A test bundles it for a browser.
export { SluiceError } from '../base/errors.ts'
export { inProcessLink } from './in-process.ts'
export { type Client, type ClientCallOptions, type ClientOptions, clientOver, openClient } from './open-client.ts'
