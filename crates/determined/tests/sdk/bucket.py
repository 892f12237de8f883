"""An S3 server (moto) with the files of a folder in a bucket.

Arguments: the folder, the bucket, the prefix. Prints the server's address, then key
and secret of a user who may read objects of that bucket and nothing else; signatures
are checked. Ends with its standard input.
"""

import json
import logging
import pathlib
import sys

import boto3
from moto.core.authorization import enable_iam_authentication
from moto.server import ThreadedMotoServer

folder, bucket, prefix = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://{host}:{port}"
keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
s3 = boto3.client("s3", endpoint_url=url, region_name="eu-west-1", **keys)
iam = boto3.client("iam", endpoint_url=url, region_name="eu-west-1", **keys)

region = {"LocationConstraint": "eu-west-1"}
s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=region)
for path in folder.rglob("*"):
    if path.is_file():
        key = f"{prefix}/{path.relative_to(folder)}"
        s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

statement = {
    "Effect": "Allow",
    "Action": "s3:GetObject",
    "Resource": f"arn:aws:s3:::{bucket}/*",
}
policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
iam.create_user(UserName="reader")
iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
key = iam.create_access_key(UserName="reader")["AccessKey"]
with enable_iam_authentication():
    print(url, key["AccessKeyId"], key["SecretAccessKey"], sep="\n", flush=True)
    sys.stdin.read()
