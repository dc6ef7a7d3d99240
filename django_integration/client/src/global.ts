import TaskAPI from './index.js'

Object.assign(globalThis, { TaskAPI })
