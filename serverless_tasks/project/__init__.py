"""What a project deploys: its samconfig.toml, and the tasks that this names."""
