"""A class on one machine: each learner logs in with their account and has a server, notebooks and answers of their own.

    sudo .venv/bin/jupyterhub -f deploy/jupyterhub_config.py

docs/INSTRUCTOR.md (On JupyterHub) has the whole way, from an empty machine. For other ways to log in or to
start servers write a file of your own that begins with `load_subconfig("/opt/vmlab/deploy/jupyterhub_config.py")`
and sets what differs; tests/test_hub.py does just that.
"""

import grp
import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821 - JupyterHub's

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent
STATE = Path(os.environ.get("VMLAB_HUB_STATE", "/srv/vmlab-hub"))  # the hub's own: users, cookies' secret
STATE.mkdir(mode=0o700, parents=True, exist_ok=True)

# --- before anybody waits: kernels compiled and fonts listed, for all learners, in the installation ---
os.environ["MPLCONFIGDIR"] = str(ROOT / ".lab" / "matplotlib")
from vmlab import warm  # noqa: E402

warm.warm()

# --- who may log in: accounts of this machine in the group vmlab, nobody else ---
c.JupyterHub.authenticator_class = "pam"
groups = {group.gr_name for group in grp.getgrall()}
if "vmlab" not in groups:
    print("vmlab: nobody can log in yet: there is no group vmlab (groupadd vmlab makes it).", file=sys.stderr)
c.LocalAuthenticator.allowed_groups = {"vmlab"} & groups
c.LocalAuthenticator.admin_groups = {"vmlab-teachers"} & groups  # JupyterHub fails if it does not exist

# --- a learner's server: a process of theirs, in their home, with their rights ---
c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.Spawner.cmd = [sys.executable, "-m", "vmlab.seat"]
c.Spawner.environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # a core is shared by many
c.Spawner.mem_limit = "2G"  # vmlab.seat holds each process to it; a lesson needs about a tenth
c.Spawner.start_timeout = c.Spawner.http_timeout = 120  # a whole class starts at the same minute
c.JupyterHub.concurrent_spawn_limit = 4 * (os.cpu_count() or 1)
hour = 3600
c.Spawner.args = [
    f"--MappingKernelManager.cull_idle_timeout={hour}",
    f"--ServerApp.shutdown_no_activity_timeout={2 * hour}",
]
if os.geteuid():
    print("vmlab: the hub was not started as root: it can start servers only for its own account.", file=sys.stderr)

# --- the way in: a proxy in Python, on this machine alone; a web server with a certificate goes in front of it ---
c.ConfigurableHTTPProxy.command = [str(PROGRAMS / "configurable-http-proxy")]
c.ConfigurableHTTPProxy.pid_file = str(STATE / "proxy.pid")
c.JupyterHub.bind_url = "http://127.0.0.1:8000"

c.JupyterHub.db_url = f"sqlite:///{STATE / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(STATE / "cookie_secret")
