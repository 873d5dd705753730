"""Write the lab's settings where every Jupyter server of this environment reads them, and the page to begin with.

python binder/settings.py FOLDER    # the environment's etc/jupyter
"""

import json
import sys
from pathlib import Path

from vmlab.lab import SETTINGS
from vmlab.study.lessons import START

page = f"/lab/tree/notebooks/{START.file}"
settings = json.loads((SETTINGS / "server_config.json").read_text(encoding="utf-8"))
for name in ("ip", "port_retries"):  # where to listen is the container's to say
    settings["ServerApp"].pop(name, None)
settings["LabApp"]["app_settings_dir"] = str(SETTINGS)
for app in ("ServerApp", "LabApp", "JupyterNotebookApp"):  # whichever Binder's command names
    settings.setdefault(app, {})["default_url"] = page
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
(folder / "jupyter_server_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
