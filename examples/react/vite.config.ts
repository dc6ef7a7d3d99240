import react from '@vitejs/plugin-react'
import { defineConfig, loadEnv } from 'vite'

// The site that serves the tasks: `make serve`, or a site of your own.
export default defineConfig(({ mode }) => {
  const { DJANGO_URL = 'http://127.0.0.1:8000' } = loadEnv(mode, '.', '')
  return {
    plugins: [react()],
    // The client lies beside its own React, with which it is tested.
    resolve: { dedupe: ['react'] },
    server: { proxy: { '/tasks': DJANGO_URL } },
  }
})
