// The bare side of the `websocket` bench: the `ws` package, tuned as ours is, that answers each frame with one string.
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'

let payload = ''
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
server.on('connection', socket => socket.on('message', () => socket.send(payload)))
server.on('listening', () => process.send?.({ url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` }))
process.on('message', (text: string) => {
  payload = text
  process.send?.('set')
})
process.on('disconnect', () => process.exit())
