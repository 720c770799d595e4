// A person's client in a thread of its own: connects, hears every event, counts them and answers nothing.
import { parentPort, workerData } from 'node:worker_threads'
import { WebSocket } from 'ws'

const socket = new WebSocket(workerData.url, { perMessageDeflate: false })
let heard = 0
socket.on('message', data => {
  const frame = JSON.parse(data.toString())
  if (frame.event === 'connect.challenge') socket.send(JSON.stringify(workerData.connect))
  else if (frame.type === 'res') parentPort?.postMessage({ ready: frame.ok })
  else heard += 1
})
parentPort?.on('message', () => parentPort?.postMessage({ heard }))
