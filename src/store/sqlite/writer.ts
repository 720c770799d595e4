// The entry of the writer's thread.
import { parentPort } from 'node:worker_threads'
import { serveWriter } from './writer-loop.ts'

if (parentPort) serveWriter(parentPort)
