// The port to a WebSocket, so that the same client runs in a browser (its own WebSocket) and in the CLI (the `ws`
// package, which loads 18 ms faster than Node's global one) and tests need no network. Text frames only.

/** Both WebSocket classes have this shape. A socket that fails before it opens closes without having opened. */
export interface Socket {
  send(text: string): void
  /** Begins to close; safe to call in any state and more than once. */
  close(code?: number, reason?: string): void
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void
  addEventListener(type: 'error', listener: (event: object) => void): void
}

/** Begins to open; throws only when the address itself is no address. */
export type OpenSocket = (url: string) => Socket
