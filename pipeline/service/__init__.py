"""How a working process is watched from outside: metrics, health, and the page that serves them."""
