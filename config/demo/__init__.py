"""The demo: three people, one project about a small invented world, and a base that builds itself."""
