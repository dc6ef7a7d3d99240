"""AWS on a laptop: moto in process, with the resources of template.yaml."""
