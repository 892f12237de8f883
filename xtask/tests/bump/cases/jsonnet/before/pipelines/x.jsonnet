function(tag) {"pipeline": {"name": "x"}, "transform": {"image": "localhost:5000/acme/serve:0.0.1"}}
