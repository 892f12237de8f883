"""An S3 server (moto) with an empty bucket.

Argument: the bucket. Prints the server's address, then key and secret of a user who
may read, write and list that bucket and nothing else; signatures are checked. Ends
with its standard input.
"""

import json
import logging
import sys

import boto3
from moto.core.authorization import enable_iam_authentication
from moto.server import ThreadedMotoServer

bucket = sys.argv[1]
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
statements = [
    {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::{bucket}/*",
    },
    {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{bucket}",
    },
]
policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
iam.create_user(UserName="trainer")
iam.put_user_policy(UserName="trainer", PolicyName="publish", PolicyDocument=policy)
key = iam.create_access_key(UserName="trainer")["AccessKey"]
with enable_iam_authentication():
    print(url, key["AccessKeyId"], key["SecretAccessKey"], sep="\n", flush=True)
    sys.stdin.read()
